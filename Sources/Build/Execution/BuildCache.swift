import Images
import LinuxSystem
import OCI

/// The results of steps by their keys: `build/steps/KEYHEX`, one JSON record each.
///
/// A record is derived data: it is not synced, and one that cannot be read, or whose layer is gone, counts as missing.
package struct BuildCache: Sendable {
    private static let version = 1

    /// What a step has made.
    struct Record: Sendable {
        /// A plain tar: its digest is the diff id.
        var layer: Descriptor
        /// Nanoseconds since 1970.
        var created: UInt64
        /// Whether the step changed no file.
        var isEmpty: Bool
        /// Of the layer and all below it.
        var chainID: Digest
    }

    private let images: ImageStore
    private var folder: String { images.root + "/build/steps" }

    package init(_ images: ImageStore) { self.images = images }

    /// The result for a key, if its blob is there.
    func record(for key: CacheKey) -> Record? {
        guard let bytes = try? Files.read("\(folder)/\(key.digest.hex)", limit: 64 << 20),
            let record = (try? JSON.parse(bytes)).flatMap(BuildCache.read)
        else { return nil }
        guard images.hasBlob(record.layer.digest, size: record.layer.size) else { return nil }
        // The record's time says when it was last used (`BuildCache.entries`).
        try? Files.touch("\(folder)/\(key.digest.hex)")
        return record
    }

    private static func read(_ json: JSON) -> Record? {
        guard json["version"]?.int == version, let layer = json["layer"].flatMap({ try? Descriptor($0) }),
            let chainID = json["chainID"]?.string.flatMap({ try? Digest($0) }), let created = json["created"]?.uint64
        else { return nil }
        return Record(layer: layer, created: created, isEmpty: json["empty"]?.bool ?? false, chainID: chainID)
    }

    func store(_ record: Record, for key: CacheKey) throws {
        try Files.makeDirectories(folder, mode: 0o700)
        let json: JSON = [
            "version": .number(BuildCache.version), "layer": record.layer.json,
            "diffID": .string(record.layer.digest.description),
            "chainID": .string(record.chainID.description), "created": .number(record.created),
            "empty": .bool(record.isEmpty),
            "inputs": key.json,
        ]
        let file = "\(folder)/\(key.digest.hex)"
        // Alone, so that of several builds of one step each but the last knows that nobody needs its layer.
        try FileLock("\(images.root)/build/lock", .exclusive).during {
            if let old = entry(key.digest.hex), old.layer != record.layer.digest { images.awaitCollection() }
            try Files.replace(file, with: json.bytes(), mode: 0o600)
        }
    }

    /// What a collection has to keep so that cached steps stay cached.
    package func roots() throws -> CollectionRoots { BuildCache.roots(of: try entries()) }

    package static func roots(of entries: [Entry]) -> CollectionRoots {
        CollectionRoots(layers: Set(entries.map(\.chainID)), blobs: Set(entries.map(\.layer)))
    }

    /// A step's result, as lists of the cache show it.
    package struct Entry: Sendable {
        /// The key's digits.
        package let id: String
        package let layer: Digest
        package let chainID: Digest
        /// Nanoseconds since 1970.
        package let created: UInt64
        package let lastUse: UInt64
        /// What the step was: "run", "copy", "workdir".
        package let kind: String
    }

    /// Every result that can be read, the one first that was used longest ago.
    package func entries() throws -> [Entry] {
        let names: [String]
        do throws(SystemError) { names = try Files.list(folder, followingLink: false) } catch {
            if error.code == SystemError.notFound { return [] }
            throw error
        }
        return names.compactMap(entry).sorted { ($0.lastUse, $0.id) < ($1.lastUse, $1.id) }
    }

    private func entry(_ name: String) -> Entry? {
        let path = "\(folder)/\(name)"
        guard Digest(hex: name) != nil, let status = try? FileStatus.of(path),
            let json = (try? Files.read(path, limit: 64 << 20)).flatMap({ try? JSON.parse($0) }),
            let record = BuildCache.read(json)
        else { return nil }
        let kind = json["inputs"]?.array?.first?.array?.last?.string ?? ""
        return Entry(
            id: name,
            layer: record.layer.digest,
            chainID: record.chainID,
            created: record.created,
            lastUse: status.modifiedNanoseconds,
            kind: kind
        )
    }

    /// Forgets a result; its content goes with the next collection.
    package func remove(_ entry: Entry) throws { try Files.remove("\(folder)/\(entry.id)") }

    /// Names in the cache's folder that are no records, and records that lead nowhere, each with what is wrong with it.
    package func faults() throws -> [(path: String, what: String)] {
        let names: [String]
        do throws(SystemError) { names = try Files.list(folder, followingLink: false) } catch {
            if error.code == SystemError.notFound { return [] }
            throw error
        }
        return names.sorted().filter { !$0.hasSuffix(".tmp") }.compactMap { name in
            guard let entry = entry(name) else {
                return ("\(folder)/\(name)", "not a record of the build cache that can be read")
            }
            if images.hasBlob(entry.layer) { return nil }
            return ("\(folder)/\(name)", "a build step whose layer \(entry.layer) is not in the store")
        }
    }
}
