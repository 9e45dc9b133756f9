import LinuxSystem
import OCI

/// Reads a tar's headers only: names, sizes and where the content lies. It understands headers as `TarReader` does, but
/// leaps over content, which needs a file that can be read at any offset.
struct TarHeaderScanner {
    /// The archive's size: a member that says it is larger than what is left is refused.
    private let size: Int64
    private let limits: TarLimits
    private var offset: Int64 = 0
    private var nameBytes = 0
    private var members: [String: TarFiles.Member] = [:]

    init(size: Int64) {
        self.size = size
        var limits = TarLimits.default
        limits.entries = 100_000
        // Those of a thousand images of a hundred layers.
        limits.names = 32 << 20
        self.limits = limits
    }

    /// The files and links by their clean names. Where two members have one name, the last counts, as when unpacking.
    mutating func members(of file: borrowing FileDescriptor) throws -> [String: TarFiles.Member] {
        var global = PaxGlobals()
        var extensions = TarExtensions()
        var count = 0
        while let block = try block(file) {
            count += 1
            guard count <= limits.entries else {
                throw EngineError(.invalid, "the archive has more than \(limits.entries) entries")
            }
            try block.withUnsafeBytes { block in
                let header = try TarHeader(block)
                switch header.type {
                case UInt8(ascii: "x"), UInt8(ascii: "X"): try extensions.take(pax: records(header, file))
                case UInt8(ascii: "g"): try global.add(try content(header, file))
                case UInt8(ascii: "L"): extensions.longName = try name(header, file)
                case UInt8(ascii: "K"): extensions.longLink = try name(header, file)
                case UInt8(ascii: "V"): try TarExtensions.checkVolume(header)
                default:
                    try add(header, extensions, extensions.pax?.merged(over: global.records) ?? global.records)
                    extensions = TarExtensions()
                }
            }
        }
        return members
    }

    private mutating func add(_ header: TarHeader, _ extensions: TarExtensions, _ pax: PaxRecords) throws {
        let path = try extensions.path(of: header, pax)
        try count(path)
        let kind = try TarExtensions.kind(of: header.type, path: path)
        let written = String(decoding: path, as: UTF8.self)
        guard let name = TarFiles.clean(written) else {
            throw EngineError(.invalid, "member \"\(written.prefix(200))\" lies outside the archive")
        }
        if header.type == UInt8(ascii: "S") || pax["GNU.sparse.major"] != nil || pax["GNU.sparse.size"] != nil {
            throw EngineError(.unsupported, "member \"\(name.prefix(200))\" is sparse")
        }
        let size = try TarExtensions.size(of: kind, header, pax)
        switch kind {
        case .file:
            members[name] = .file(offset: try leap(over: size), size: size)
        case .symlink, .hardlink:
            // A symlink starts from its own folder, a hard link from the root.
            let folder = kind == .symlink ? Array(name.split(separator: "/").dropLast()) : []
            let link = try extensions.linkTarget(of: header, pax)
            try count(link)
            let target = String(decoding: link, as: UTF8.self)
            guard let target = TarFiles.clean(target, from: folder) else {
                throw EngineError(.invalid, "link \"\(name.prefix(200))\" leads outside the archive")
            }
            members[name] = .link(target)
        case .directory: break
        default: throw EngineError(.invalid, "member \"\(name.prefix(200))\" is neither a file nor a folder")
        }
    }

    /// Names stay in memory.
    private mutating func count(_ name: [UInt8]) throws {
        guard name.count <= limits.path else {
            throw EngineError(.invalid, "the archive has a name of more than \(limits.path) bytes")
        }
        nameBytes += name.count
        guard nameBytes <= limits.names else {
            throw EngineError(.invalid, "the archive has more than \(limits.names) bytes of names")
        }
    }

    private mutating func records(_ header: TarHeader, _ file: borrowing FileDescriptor) throws -> PaxRecords {
        var records = PaxRecords()
        try records.parse(try content(header, file))
        return records
    }

    private mutating func name(_ header: TarHeader, _ file: borrowing FileDescriptor) throws -> [UInt8] {
        Array(try content(header, file).prefix { $0 != 0 })
    }

    /// The content of an extension header.
    private mutating func content(_ header: TarHeader, _ file: borrowing FileDescriptor) throws -> [UInt8] {
        let size = try header.size()
        guard size <= limits.header else {
            throw EngineError(.invalid, "the archive has an extension header of \(size) bytes")
        }
        return try bytes(file, at: leap(over: size), Int(size))
    }

    /// The next header's block; nil at the end: a block of zeros, or the end of the file.
    private mutating func block(_ file: borrowing FileDescriptor) throws -> [UInt8]? {
        if offset >= size { return nil }
        guard size - offset >= Int64(TarHeader.size) else { throw corruptTar("it ends inside a block") }
        let block = try bytes(file, at: offset, TarHeader.size)
        offset += Int64(TarHeader.size)
        return block.contains { $0 != 0 } ? block : nil
    }

    /// Goes on behind content of `count` bytes; returns where it starts.
    private mutating func leap(over count: Int64) throws -> Int64 {
        let start = offset
        guard count >= 0, count <= size - start else { throw corruptTar("it ends inside a file") }
        offset = min(size, start + (count + 511) & ~511)
        return start
    }

    private func bytes(_ file: borrowing FileDescriptor, at offset: Int64, _ count: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let got = try bytes.withUnsafeMutableBytes { buffer in
                try file.read(
                    into: UnsafeMutableRawBufferPointer(rebasing: buffer[filled...]),
                    at: offset + Int64(filled)
                )
            }
            if got == 0 { throw corruptTar("it ends inside a header") }
            filled += got
        }
        return bytes
    }
}
