import CLinux
import OCI

/// The parts of EROFS' on-disk form that a layer needs: uncompressed, blocks of 4096 bytes, inodes of 64 bytes
/// (Linux, fs/erofs/erofs_fs.h and Documentation/filesystems/erofs.rst). Every number is little-endian.
enum ErofsFormat {
    static let magic: UInt32 = 0xe0f5_e1e2
    static let blockBits = 12
    static let blockSize = 1 << blockBits
    /// Where the superblock begins; it has 128 bytes.
    static let superblockOffset = 1024
    static let superblockSize = 128
    /// An inode's number is its place in the image in units of this many bytes (with the metadata area from block 0 on).
    static let slotSize = 32
    static let inodeSize = 64
    static let inodeLinksOffset = 44
    static let direntSize = 12
    static let nameLimit = 255
    /// The root's inode follows the superblock: its number has only 16 bits.
    static let rootOffset = superblockOffset + superblockSize

    /// EROFS_FEATURE_COMPAT_SB_CHKSUM and _MTIME: the superblock has a checksum, and inodes have times of modification.
    static let compatibleFeatures: UInt32 = 0x3
    /// EROFS_FEATURE_INCOMPAT_CHUNKED_FILE: there are sparse files.
    static let chunkedFile: UInt32 = 0x4
    /// Marks a chunk that is a hole.
    static let hole = UInt32.max

    /// How an inode's data lies in the image (EROFS_INODE_*).
    enum Layout: UInt16 {
        /// In blocks of its own.
        case plain = 0
        /// Whole blocks of its own, and what is left over behind the inode.
        case inline = 2
        /// In chunks, whose places are listed behind the inode: with holes.
        case chunks = 4
    }

    /// EROFS_FT_*, for directory entries.
    static func fileType(_ mode: UInt16) -> UInt8 {
        switch mode_t(mode) & mode_t(S_IFMT) {
        case mode_t(S_IFREG): 1
        case mode_t(S_IFDIR): 2
        case mode_t(S_IFCHR): 3
        case mode_t(S_IFBLK): 4
        case mode_t(S_IFIFO): 5
        case mode_t(S_IFSOCK): 6
        case mode_t(S_IFLNK): 7
        default: 0
        }
    }

    /// new_encode_dev() of the kernel: 12 bits of the major number, 20 of the minor; nil for a greater one.
    static func device(major: UInt32, minor: UInt32) -> UInt32? {
        guard major < 1 << 12, minor < 1 << 20 else { return nil }
        return (minor & 0xff) | major << 8 | (minor & ~0xff) << 12
    }

    /// Blocks that so many bytes take.
    static func blocks(_ bytes: Int64) -> Int64 { (bytes + Int64(blockSize) - 1) >> Int64(blockBits) }
}

/// What an inode says.
struct ErofsInode {
    /// With the type (S_IF*).
    var mode: UInt16
    var uid: UInt32 = 0
    var gid: UInt32 = 0
    var size: Int64 = 0
    var time = timespec()
    var links: UInt32 = 1
    /// Encoded, of a device node.
    var device: UInt32 = 0
    /// The encoded attributes (`ErofsAttributes`), empty for none.
    var attributes: [UInt8] = []

    /// Bytes of the inode with its attributes, without data.
    var recordSize: Int { ErofsFormat.inodeSize + attributes.count }

    /// The inode without its data. `place` is the first block of its data, its device, or the size of its chunks.
    func record(_ layout: ErofsFormat.Layout, place: UInt32, number: UInt32) -> [UInt8] {
        var bytes = LittleEndian(capacity: ErofsFormat.inodeSize + attributes.count)
        // The lowest bit: 64 bytes, not 32.
        bytes.append(1 | layout.rawValue << 1)
        bytes.append(UInt16(ErofsAttributes.count(attributes)))
        bytes.append(mode)
        bytes.append(UInt16(0))
        bytes.append(UInt64(size))
        bytes.append(place)
        bytes.append(number)
        bytes.append(uid)
        bytes.append(gid)
        bytes.append(UInt64(bitPattern: Int64(time.tv_sec)))
        bytes.append(UInt32(time.tv_nsec))
        bytes.append(links)
        bytes.append(zeros: 16)
        bytes.append(attributes)
        return bytes.bytes
    }
}

/// Bytes with numbers in them.
struct LittleEndian {
    private(set) var bytes: [UInt8] = []

    init(capacity: Int) { bytes.reserveCapacity(capacity) }

    mutating func append(_ number: some FixedWidthInteger) {
        withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func append(_ more: [UInt8]) { bytes.append(contentsOf: more) }
    mutating func append(zeros count: Int) { bytes.append(contentsOf: repeatElement(0, count: count)) }
}

/// The superblock.
struct ErofsSuperblock {
    var inodes: UInt64
    var blocks: UInt32
    var uuid: [UInt8]
    var isChunked: Bool

    /// The 128 bytes, still without a checksum.
    var bytes: [UInt8] {
        var bytes = LittleEndian(capacity: ErofsFormat.superblockSize)
        bytes.append(ErofsFormat.magic)
        bytes.append(UInt32(0))
        bytes.append(ErofsFormat.compatibleFeatures)
        bytes.append(UInt8(ErofsFormat.blockBits))
        bytes.append(UInt8(0))
        bytes.append(UInt16(ErofsFormat.rootOffset / ErofsFormat.slotSize))
        bytes.append(inodes)
        // The time of compact inodes, of which there are none.
        bytes.append(UInt64(0))
        bytes.append(UInt32(0))
        bytes.append(blocks)
        // Metadata, and shared attributes: from the first block on.
        bytes.append(UInt32(0))
        bytes.append(UInt32(0))
        bytes.append(uuid)
        bytes.append(zeros: 16)
        bytes.append(isChunked ? ErofsFormat.chunkedFile : 0)
        bytes.append(zeros: ErofsFormat.superblockSize - bytes.bytes.count)
        return bytes.bytes
    }

    /// Puts the checksum into an image's first block: the CRC-32C of all of it from the superblock on, not inverted at
    /// the end.
    static func seal(_ block: inout [UInt8]) {
        let sum = CRC32C.of(block[ErofsFormat.superblockOffset...])
        withUnsafeBytes(of: sum.littleEndian) {
            block.replaceSubrange(ErofsFormat.superblockOffset + 4..<ErofsFormat.superblockOffset + 8, with: $0)
        }
    }
}

/// CRC-32C (Castagnoli) as the kernel's crc32c() counts it: neither end inverted but the start.
enum CRC32C {
    private static let table: [UInt32] = (0..<256).map { byte in
        (0..<8).reduce(UInt32(byte)) { sum, _ in sum & 1 == 1 ? sum >> 1 ^ 0x82f6_3b78 : sum >> 1 }
    }

    static func of(_ bytes: some Sequence<UInt8>) -> UInt32 {
        bytes.reduce(UInt32.max) { sum, byte in table[Int(UInt8(truncatingIfNeeded: sum) ^ byte)] ^ sum >> 8 }
    }
}
