import CLinux
import LinuxSystem
import OCI

/// layer.json beside an unpacked layer: what the layer is, and whether it can be trusted after a power cut.
///
/// Unpacked layers are derived data and are not synced one by one, which would cost more than unpacking them. So a
/// layer counts only within the boot that made it, or once it was synced (`ImageStore.syncLayers`).
package struct LayerRecord: Equatable, Sendable {
    package var diffID: Digest
    package var chainID: Digest
    /// The chain id of the layer below.
    package var parent: Digest?
    package var bootID: String
    package var isSynced = false
    /// Of file content, unpacked.
    package var bytes: Int64
    package var files: Int
    /// Of a layer that is an image.
    package var image: Image?
    /// When it was whole, in nanoseconds since 1970: what was touched later has a later time of change (`ImageStore.isUntouched`).
    /// nil where an older version made it.
    var sealed: UInt64?

    package struct Image: Equatable, Sendable {
        /// As `ErofsDigest` counts it.
        package var digest: Digest
        /// Of the file, in bytes.
        package var size: Int64
        /// The file's fs-verity digest, where the file system has that.
        package var verity: Digest?
    }

    static let name = "layer.json"
    private static let version = 1

    /// /proc/sys/kernel/random/boot_id; nil where it cannot be read, and then no unsynced layer is trusted.
    static let bootID: String? = {
        guard let text = try? Files.readText("/proc/sys/kernel/random/boot_id", limit: 64) else { return nil }
        return String(text.prefix { $0 != "\n" })
    }()

    /// Whether the folder beside it is whole.
    var isTrusted: Bool { isSynced || (bootID == LayerRecord.bootID && !bootID.isEmpty) }

    init(diffID: Digest, chainID: Digest, parent: Digest?, bytes: Int64, files: Int) {
        self.diffID = diffID
        self.chainID = chainID
        self.parent = parent
        self.bootID = LayerRecord.bootID ?? ""
        self.bytes = bytes
        self.files = files
    }

    /// nil for what this version does not understand.
    init?(_ json: JSON) {
        guard json["version"]?.int == LayerRecord.version, let bootID = json["bootID"]?.string,
            let diffID = json["diffID"]?.string.flatMap({ try? Digest($0) }),
            let chainID = json["chainID"]?.string.flatMap({ try? Digest($0) })
        else { return nil }
        self.diffID = diffID
        self.chainID = chainID
        self.parent = json["parent"]?.string.flatMap { try? Digest($0) }
        self.bootID = bootID
        isSynced = json["synced"]?.bool ?? false
        bytes = Int64(json["bytes"]?.int ?? 0)
        files = json["files"]?.int ?? 0
        sealed = json["sealed"]?.uint64
        image = json["image"]?["digest"]?.string.flatMap { try? Digest($0) }.map {
            Image(
                digest: $0,
                size: Int64(json["image"]?["size"]?.int ?? 0),
                verity: json["image"]?["verity"]?.string.flatMap { try? Digest($0) }
            )
        }
    }

    var json: JSON {
        [
            "version": .number(LayerRecord.version), "diffID": .string(diffID.description),
            "chainID": .string(chainID.description), "parent": parent.map { .string($0.description) } ?? .null,
            "bootID": .string(bootID), "synced": .bool(isSynced), "bytes": .number(bytes), "files": .number(files),
            "image": image?.json ?? .null, "sealed": sealed.map { .number($0) } ?? .null,
        ]
    }

    /// The record in a layer's folder; nil where there is none, or none that can be read.
    static func read(in folder: String) throws -> LayerRecord? {
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try Files.read(folder + "/" + name, limit: 1 << 16)
        } catch {
            if error.code == ENOENT || error.code == EISDIR || error.code == ENOTDIR { return nil }
            throw error
        }
        return (try? JSON.parse(bytes)).flatMap { LayerRecord($0) }
    }
}

extension LayerRecord.Image {
    fileprivate var json: JSON {
        [
            "digest": .string(digest.description), "size": .number(size),
            "verity": verity.map { .string($0.description) } ?? .null,
        ]
    }
}
