import Images
import LinuxSystem
import OCI
import Runner

/// What ends a command that brought something into the store, took something out of it or held a lease.
extension Engine {
    /// Collects what was removed while somebody was at work with the store. One look at a file where nothing was.
    package func settle() throws {
        if images.awaitsCollection { try collect(keeping: BuildCache(images).roots) }
    }

    /// Something that goes when the store is beyond its limits.
    private enum Victim {
        case image(StoredImage, lastUse: UInt64)
        case step(BuildCache.Entry)

        var lastUse: UInt64 {
            switch self {
            case .image(_, let lastUse): lastUse
            case .step(let entry): entry.lastUse
            }
        }
    }

    /// Keeps the store within its limits (`StoreLimits`): images and build steps that were used longest ago go, until it is
    /// within them or nothing is left that may go. An image that a container was made of never goes, nor what was used since
    /// `began` (Clock.realtime). Where somebody else is at work with the store, their command does it at its end.
    ///
    /// - Parameter removed: hears the names, or the id, of every image that goes, and when it was last used.
    package func keepLimits(since began: UInt64, removed: (_ names: [String], _ lastUse: UInt64) -> Void) throws {
        try settle()
        let limits = try images.limits()
        if limits.isNone { return }
        var taken = try images.quickUsage()
        guard try images.excess(over: limits, taken: taken) > 0 else { return }
        // First what nobody needs anyway.
        guard let summary = try collect(keeping: BuildCache(images).roots) else { return }
        taken -= summary.bytes
        taken -= try images.removePartial()
        var victims = try victims(before: began)
        while try images.excess(over: limits, taken: taken) > 0, let victim = victims.popLast() {
            switch victim {
            case .image(let image, let lastUse):
                let events = try images.prune(all: true, isWanted: { $0.id == image.id }, inUse: { _ in false })
                if events.isEmpty { continue }
                let names = (image.tags.isEmpty ? image.references : image.tags).map(\.familiar)
                removed(names.isEmpty ? [image.id.short] : names, lastUse)
            case .step(let entry): try BuildCache(images).remove(entry)
            }
            guard let summary = try collect(keeping: BuildCache(images).roots) else { return }
            taken -= summary.bytes
        }
    }

    /// The one that was used longest ago last. The clock of files may be some milliseconds behind.
    private func victims(before began: UInt64) throws -> [Victim] {
        let used = try containerRoots().images
        var victims = try images.images().filter { !used.contains($0.id) }.map {
            Victim.image($0, lastUse: images.lastUse(of: $0))
        }
        victims += try BuildCache(images).entries().map { Victim.step($0) }
        let limit = began - min(began, 20_000_000)
        return victims.filter { $0.lastUse < limit }.sorted { $0.lastUse > $1.lastUse }
    }
}
