import LinuxSystem
import OCI

/// How much a store may take, `limits.json` in its root: `{"version": 1, "images": 20000000000, "freePercent": 10}`.
package struct StoreLimits: Equatable, Sendable {
    /// How much of the file system is to stay free.
    package enum Free: Equatable, Sendable {
        /// Of its size, 1 to 99.
        case percent(Int)
        case bytes(Int64)
    }

    /// What images, unpacked layers and the build cache may take in all, in bytes on the disk; nil for any amount.
    package var images: Int64?
    package var free: Free?

    package init(images: Int64? = nil, free: Free? = nil) {
        self.images = images
        self.free = free
    }

    package var isNone: Bool { images == nil && free == nil }

    private static let version = 1

    init(_ json: JSON) throws(EngineError) {
        guard json["version"]?.int == StoreLimits.version else {
            throw EngineError(.unsupported, "limits.json is of a version that this minirun does not know")
        }
        images = json["images"]?.int.map(Int64.init)
        if let percent = json["freePercent"]?.int, (1...99).contains(percent) { free = .percent(percent) }
        if let bytes = json["freeBytes"]?.int { free = .bytes(Int64(bytes)) }
        if let images, images < 0 { throw EngineError(.corrupt, "limits.json has a size below zero") }
        if case .bytes(..<0) = free { throw EngineError(.corrupt, "limits.json has a size below zero") }
    }

    package var json: JSON {
        var percent: Int?
        var bytes: Int64?
        switch free {
        case .percent(let value): percent = value
        case .bytes(let value): bytes = value
        case nil: break
        }
        return [
            "version": .number(StoreLimits.version), "images": images.map { .number($0) } ?? .null,
            "freePercent": percent.map { .number($0) } ?? .null, "freeBytes": bytes.map { .number($0) } ?? .null,
        ]
    }
}

extension ImageStore {
    private var limitsPath: String { path("limits.json") }

    /// The limits that were set; none by default.
    package func limits() throws -> StoreLimits {
        let bytes: [UInt8]
        do throws(SystemError) { bytes = try Files.read(limitsPath, limit: 1 << 16) } catch {
            if error.code == SystemError.notFound { return StoreLimits() }
            throw error
        }
        guard let json = try? JSON.parse(bytes) else {
            throw EngineError(
                .corrupt,
                "\(limitsPath) cannot be read",
                hint: "set the limits anew with \"minirun system limits\", or remove the file"
            )
        }
        return try StoreLimits(json)
    }

    package func setLimits(_ limits: StoreLimits) throws {
        if limits.isNone { return try Files.remove(limitsPath) }
        try Files.replace(limitsPath, with: limits.json.bytes(), durable: true)
    }

    /// How far the store is beyond its limits, in bytes; 0 or less where it keeps them.
    /// - Parameter taken: what counts against `images` (`StoreUsage.limited`).
    package func excess(over limits: StoreLimits, taken: Int64) throws -> Int64 {
        var excess = Int64.min
        if let images = limits.images { excess = max(excess, taken - images) }
        if let free = limits.free {
            let room = try FileSystemRoom.at(root)
            let wanted =
                switch free {
                case .percent(let percent): room.size / 100 * Int64(percent)
                case .bytes(let bytes): bytes
                }
            excess = max(excess, wanted - room.free)
        }
        return excess
    }

    /// `StoreUsage.limited` without looking at every file: the size of an unpacked layer, which never changes, is kept in
    /// its folder once it was measured.
    package func quickUsage() throws -> Int64 {
        var disk = DiskUsage()
        var sum = try disk.measure(path("images")) + disk.measure(path("build")) + disk.measure(path("partial"))
        for entry in try layerEntries() { sum += try quickUsage(of: entry, &disk) }
        return sum
    }

    private func quickUsage(of entry: LayerEntry, _ disk: inout DiskUsage) throws -> Int64 {
        let note = "\(entry.path)/allocated"
        // What no disk holds is not what was measured.
        let noted = (try? Files.readText(note, limit: 64)).flatMap { Int64($0) }
        if let noted, (0...1 << 50).contains(noted) { return noted }
        let bytes = try disk.measure(entry.path)
        // Not written into a folder that is no layer, nor into where a link in its place leads.
        let isFolder = (try? FileStatus.of(entry.path))?.kind == .directory
        if entry.chainID != nil, isFolder { try? Files.replace(note, with: Array(String(bytes).utf8), mode: 0o600) }
        return bytes
    }
}
