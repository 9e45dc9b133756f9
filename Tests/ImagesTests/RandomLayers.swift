import CLinux
import LinuxSystem
import OCI

@testable import Images

/// Everything of a layer's folder that can be seen, a line for each file.
enum LayerListing {
    static func lines(of directory: String) throws -> [String] {
        var lines: [String] = []
        // Where a file was seen first, by its inode.
        var names: [UInt64: String] = [:]
        func walk(_ path: String) throws {
            let file = try FileDescriptor.open(directory + path, linux_o_path | O_NOFOLLOW)
            let metadata = try NodeMetadata.of(file.raw) { _ in true }
            let status = metadata.status
            if OverlayForm.isWhiteout(status) { return lines.append("\(path) whiteout") }
            let attributes = metadata.attributes.map { "\($0.name)=\($0.value)" }.sorted()
            var line = "\(path) \(status.kind) \(status.mode) \(status.owner):\(status.group)"
            line += " \(status.modified.tv_sec).\(status.modified.tv_nsec) \(status.represents) \(attributes)"
            if status.kind == .symbolicLink { line += " -> \(String(decoding: try file.linkTarget(), as: UTF8.self))" }
            if status.kind == .file { line += " \(try Files.readText(directory + path))" }
            if status.kind != .directory {
                line += " links \(status.links) \(names[status.inode, default: path])"
                if names[status.inode] == nil { names[status.inode] = path }
            }
            lines.append(line)
            guard status.kind == .directory else { return }
            for name in try Files.list(directory + path).sorted() { try walk(path + "/" + name) }
        }
        try walk("")
        return lines
    }
}

/// Layers of few names, so that entries meet each other and those of other layers.
struct RandomLayers {
    private var random: SeededGenerator

    init(seed: UInt64) { random = SeededGenerator(state: seed) }

    private mutating func number(_ range: Range<Int>) -> Int { Int.random(in: range, using: &random) }

    private mutating func path() -> [String] { (0..<number(1..<4)).map { _ in ["a", "b", "c"][number(0..<3)] } }

    private mutating func target() -> String {
        let path = path().joined(separator: "/")
        return switch number(0..<6) {
        case 0: "/" + path
        case 1: "../" + path
        default: path
        }
    }

    mutating func next() throws -> [UInt8] {
        let sink = MemorySink()
        let writer = TarWriter(sink)
        for turn in 0..<number(0..<10) { try add(to: writer, turn) }
        try writer.finish()
        return sink.bytes
    }

    private mutating func add(to writer: TarWriter, _ turn: Int) throws {
        let parts = path()
        let name = parts.joined(separator: "/")
        switch number(0..<18) {
        case 0..<4: try writer.file(name, "\(turn)") { $0.mtime = Int64(turn) }
        case 4..<8:
            let mode = UInt32(number(0o700..<0o2000))
            let attribute = "user.n\(number(0..<2))"
            try writer.folder(number(0..<12) == 0 ? "./" : name, mode: mode) { entry in
                (entry.mtime, entry.uid) = (Int64(1000 + turn), UInt32(turn))
                entry.xattrs = [(name: attribute, value: [UInt8(turn)])]
                for name in ["system.posix_acl_access", "system.posix_acl_default"] where number(0..<6) == 0 {
                    entry.xattrs.append((name: name, value: Self.accessList))
                }
            }
        case 8, 9: try writer.link(name, to: target())
        case 10: try writer.link(name, to: path().joined(separator: "/"), kind: .hardlink)
        case 11..<15: try writer.whiteout((parts.dropLast() + [".wh." + (parts.last ?? "")]).joined(separator: "/"))
        case 15, 16: try writer.whiteout((parts.dropLast() + [".wh..wh..opq"]).joined(separator: "/"))
        default:
            var device = TarEntry(path: name, kind: number(0..<2) == 0 ? .fifo : .characterDevice)
            (device.major, device.minor) = (1, UInt32(turn))
            try writer.append(device)
        }
    }

    /// Of the owner, one more user, the group and others (acl(5), and the kernel's posix_acl_xattr.h).
    static let accessList: [UInt8] = {
        let entries: [(tag: UInt8, rights: UInt8, id: [UInt8])] = [
            (1, 7, [0xff, 0xff, 0xff, 0xff]), (2, 6, [2, 0, 0, 0]), (4, 5, [0xff, 0xff, 0xff, 0xff]),
            (0x10, 7, [0xff, 0xff, 0xff, 0xff]), (0x20, 1, [0xff, 0xff, 0xff, 0xff]),
        ]
        return [2, 0, 0, 0] + entries.flatMap { [$0.tag, 0, $0.rights, 0] + $0.id }
    }()

    static func describe(_ tar: [UInt8]) throws -> [String] {
        let reader = TarReader(MemorySource(tar))
        var lines: [String] = []
        while let entry = try reader.next() {
            lines.append("\(entry.kind) \(entry.name) \(printable(entry.linkTarget))")
        }
        return lines
    }
}
