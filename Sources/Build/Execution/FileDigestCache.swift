import CLinux
import LinuxSystem
import OCI

/// Digests of files that were read before, so that files nobody touched are not read again.
///
/// A file is known by device, inode, size, times, mode and owner. What was changed less than two seconds before it was
/// read is not remembered: a second change within the same tick of the file system's clock would not show (git calls
/// such entries racily clean). The file may be lost or damaged at any time; then everything is read again.
///
/// ```
/// magic and version, 8 bytes; then for each file 124 bytes, numbers in the machine's order:
/// device, inode, size, seconds of mtime, seconds of ctime (8 bytes each),
/// nanoseconds of mtime and of ctime, mode, owner, group (4 bytes each), 64 hexadecimal digits
/// ```
final class FileDigestCache {
    private struct Inode: Hashable {
        let device: UInt64
        let number: UInt64
    }

    private static let magic = Array("mrdig\u{0}\u{0}\u{1}".utf8)
    private static let identitySize = 60
    private static let entrySize = 124
    private static let unsettled: UInt64 = 2_000_000_000
    private static let limit = 256 << 20

    private let path: String
    private var bytes: [UInt8]
    /// Where each file's entry begins.
    private var places: [Inode: Int] = [:]
    private var isChanged = false

    /// - Parameter path: the file that keeps them; missing or unreadable it counts as empty.
    init(path: String) {
        self.path = path
        bytes = (try? Files.read(path, limit: FileDigestCache.limit)) ?? []
        let isWhole = (bytes.count - FileDigestCache.magic.count) % FileDigestCache.entrySize == 0
        guard bytes.starts(with: FileDigestCache.magic), isWhole else {
            bytes = FileDigestCache.magic
            return
        }
        places.reserveCapacity(bytes.count / FileDigestCache.entrySize)
        bytes.withUnsafeBytes { raw in
            for place in stride(from: FileDigestCache.magic.count, to: raw.count, by: FileDigestCache.entrySize) {
                let device = raw.loadUnaligned(fromByteOffset: place, as: UInt64.self)
                let number = raw.loadUnaligned(fromByteOffset: place + 8, as: UInt64.self)
                places[Inode(device: device, number: number)] = place
            }
        }
    }

    func digest(of status: FileStatus) -> Digest? {
        guard let place = places[Inode(device: UInt64(status.device), number: status.inode)] else { return nil }
        let identity = FileDigestCache.identity(status)
        let end = place + FileDigestCache.identitySize
        guard bytes[place..<end].elementsEqual(identity) else { return nil }
        return Digest(hex: String(decoding: bytes[end..<place + FileDigestCache.entrySize], as: UTF8.self))
    }

    /// - Parameter readAt: when reading began, in nanoseconds since 1970.
    func remember(_ digest: Digest, of status: FileStatus, readAt time: UInt64) {
        let changed = Timestamp.nanoseconds(
            seconds: Int64(status.changed.tv_sec),
            nanoseconds: Int64(status.changed.tv_nsec)
        )
        let (settled, tooBig) = changed.addingReportingOverflow(FileDigestCache.unsettled)
        guard !tooBig, settled < time else { return }
        let entry = FileDigestCache.identity(status) + Array(digest.hex.utf8)
        let inode = Inode(device: UInt64(status.device), number: status.inode)
        if let place = places[inode] {
            bytes.replaceSubrange(place..<place + FileDigestCache.entrySize, with: entry)
        } else {
            places[inode] = bytes.count
            bytes += entry
        }
        isChanged = true
    }

    private static func identity(_ status: FileStatus) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(identitySize)
        func add(_ value: some FixedWidthInteger) { withUnsafeBytes(of: value) { out.append(contentsOf: $0) } }
        add(UInt64(status.device))
        add(status.inode)
        add(status.size)
        add(Int64(status.modified.tv_sec))
        add(Int64(status.changed.tv_sec))
        add(UInt32(truncatingIfNeeded: status.modified.tv_nsec))
        add(UInt32(truncatingIfNeeded: status.changed.tv_nsec))
        add(UInt32(status.mode))
        add(UInt32(status.owner))
        add(UInt32(status.group))
        return out
    }

    /// Writes what is new. A file that has grown beyond reason is begun again.
    func save() throws {
        guard isChanged else { return }
        if bytes.count > FileDigestCache.limit / 2 { return try Files.remove(path) }
        try Files.makeDirectories(Files.parent(of: path), mode: 0o700)
        try Files.replace(path, with: bytes, mode: 0o600)
        isChanged = false
    }
}
