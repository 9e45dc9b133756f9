import CLinux
import LinuxSystem
import OCI
import TestSupport

/// A small file system of its own under an engine's root; goes with this value, and so must not outlive the engine.
final class SmallDisk {
    private let root: String

    enum Kind { case ext4, tmpfs }

    init(in engine: Minirun, megabytes: Int, _ kind: Kind = .ext4) throws {
        root = engine.root
        try Files.makeDirectories(root)
        switch kind {
        case .tmpfs: try tool("mount", "-t", "tmpfs", "-o", "size=\(megabytes)m,mode=711", "none", root)
        case .ext4:
            let image = engine.path("disk.img")
            try tool("truncate", "-s", "\(megabytes)M", image)
            try tool("mkfs.ext4", "-q", "-m", "0", image)
            try tool("mount", "-o", "loop", image, root)
        }
    }

    deinit {
        // Processes that were killed a moment ago may still hold it.
        if umount2(root, 0) != 0 { umount2(root, CInt(MNT_DETACH)) }
    }

    /// Takes all room but so many bytes.
    func fill(leaving bytes: Int) throws {
        let free = try room().free
        // As far as it goes: the file's own map takes blocks, too.
        if free > bytes {
            try tool("sh", "-c", "head -c \(free - Int64(bytes)) /dev/zero > \(root)/filler 2>&1 || true")
        }
    }

    /// Takes all room, to the last block: what a file cannot take in one piece, small ones can.
    func fillEveryBlock() throws {
        let script =
            "i=0; while head -c 65536 /dev/zero >> filler; do :; done; "
            + "while head -c 1 /dev/zero > filler.$i; do i=$((i+1)); done; :"
        try tool("sh", "-c", "exec 2> /dev/null; cd \(root); \(script)")
    }

    func empty() throws { try Files.remove("\(root)/filler") }

    func remount(readOnly: Bool) throws { try tool("mount", "-o", "remount,\(readOnly ? "ro" : "rw")", root) }

    private func room() throws -> FileSystemRoom { try FileSystemRoom.at(root) }

    func freeShare() throws -> Double {
        let room = try room()
        return Double(room.free) / Double(room.size)
    }
}
