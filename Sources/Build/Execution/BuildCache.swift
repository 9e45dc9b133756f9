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
        return images.hasBlob(record.layer.digest, size: record.layer.size) ? record : nil
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
        try Files.replace("\(folder)/\(key.digest.hex)", with: json.bytes(), mode: 0o600)
    }

    /// What a collection has to keep so that cached steps stay cached.
    package func roots() throws -> CollectionRoots {
        var roots = CollectionRoots()
        let names: [String]
        do throws(SystemError) { names = try Files.list(folder) } catch {
            if error.code == SystemError.notFound { return roots }
            throw error
        }
        for name in names {
            guard let bytes = try? Files.read("\(folder)/\(name)", limit: 64 << 20),
                let record = (try? JSON.parse(bytes)).flatMap(BuildCache.read)
            else { continue }
            roots.blobs.insert(record.layer.digest)
            roots.layers.insert(record.chainID)
        }
        return roots
    }
}
