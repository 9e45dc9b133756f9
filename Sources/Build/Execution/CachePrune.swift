import Images
import LinuxSystem
import OCI
import Runner

/// What `builder prune` and `system prune` take from the build cache: results of steps, and the folders of cache mounts that no
/// step has just now.
package struct CachePrune {
    package enum Kind: String, CaseIterable, Sendable {
        case step = "regular"
        case mount = "exec.cachemount"
    }

    /// Also the steps whose layers some image has.
    package var all = false
    /// What may go, by its id's digits, its kind and its last use in nanoseconds since 1970.
    package var isWanted: (_ id: String, _ kind: Kind, _ lastUse: UInt64) -> Bool = { _, _, _ in true }
    /// How many bytes may stay: what was used longest ago goes, until the rest takes no more. Nil lets nothing stay.
    package var keptBytes: Int64?

    /// What went.
    package struct Removed: Sendable {
        package let id: String
        /// What it took, with what it shared with others, in bytes.
        package let bytes: Int64
        /// Nanoseconds since 1970.
        package let lastUse: UInt64
    }

    private enum Victim {
        case step(BuildCache.Entry)
        case mount(CacheMounts.Entry)

        var lastUse: UInt64 {
            switch self {
            case .step(let entry): entry.lastUse
            case .mount(let entry): entry.lastUse
            }
        }
    }

    package init() {}

    /// Removes it. What the steps had stored goes with a collection, which is the caller's; a cache mount's folder is gone at
    /// once, and `bytes` says what those took.
    package func carryOut(_ engine: Engine) throws -> (removed: [Removed], bytes: Int64) {
        let cache = BuildCache(engine.images)
        let mounts = CacheMounts(engine.images)
        var steps = try cache.entries()
        var caches = try mounts.entries()
        let images = all ? [] : Set(try engine.images.images().flatMap { $0.manifest.layers.map(\.digest) })
        let victims =
            steps.filter { !images.contains($0.layer) && isWanted($0.id, .step, $0.lastUse) }.map(Victim.step)
            + caches.filter { !$0.isInUse && isWanted($0.id, .mount, $0.lastUse) }.map(Victim.mount)
        let usage = try engine.images.usage(cache: BuildCache.roots(of: steps), containers: CollectionRoots())
        var removed: [Removed] = []
        var bytes: Int64 = 0
        for victim in victims.sorted(by: { $0.lastUse < $1.lastUse }) {
            if let keptBytes, size(steps, caches, usage, engine) <= keptBytes { break }
            switch victim {
            case .step(let entry):
                try cache.remove(entry)
                steps.removeAll { $0.id == entry.id }
                let content = StoreUsage.Content(blobs: [entry.layer], layers: [entry.chainID])
                removed.append(Removed(id: entry.id, bytes: usage.bytes(of: content), lastUse: entry.lastUse))
            case .mount(let entry):
                guard try mounts.remove(entry) else { continue }
                caches.removeAll { $0.id == entry.id }
                bytes += entry.bytes
                removed.append(Removed(id: entry.id, bytes: entry.bytes, lastUse: entry.lastUse))
            }
        }
        for one in removed { engine.debugOutput?("build cache \(one.id): removed, \(one.bytes) bytes") }
        return (removed, bytes)
    }

    /// What the cache alone takes.
    private func size(
        _ steps: [BuildCache.Entry],
        _ caches: [CacheMounts.Entry],
        _ usage: StoreUsage,
        _ engine: Engine
    ) -> Int64 {
        var layers: Set<Digest> = []
        for step in steps {
            var next: Digest? = step.chainID
            while let one = next, layers.insert(one).inserted { next = try? engine.images.usableLayer(one)?.parent }
        }
        let content = StoreUsage.Content(
            blobs: usage.ofCache.blobs.intersection(steps.map(\.layer)),
            layers: usage.ofCache.layers.intersection(layers)
        )
        return usage.bytes(of: content) + caches.reduce(0) { $0 + $1.bytes }
    }
}
