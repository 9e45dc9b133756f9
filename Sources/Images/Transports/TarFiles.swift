import CLinux
import LinuxSystem
import OCI

/// The files in a tar archive, found by reading its headers once and leaping over their content: an archive of a
/// gigabyte is open in a millisecond, and nothing is written anywhere.
///
/// Names are never used on the file system, so there is nothing to break out of. Archives that try are refused all the
/// same.
final class TarFiles: ArchiveFiles {
    enum Member: Equatable {
        case file(offset: Int64, size: Int64)
        /// The name that the link leads to, from the archive's root.
        case link(String)
    }

    let description: String
    let origin: Int64?
    private let file: FileDescriptor
    private let members: [String: Member]

    /// Takes over a plain tar that can be read at any offset.
    /// - Parameter origin: what it was before it was decompressed, in bytes.
    init(owning file: consuming FileDescriptor, origin: Int64? = nil, description: String) throws {
        var scanner = TarHeaderScanner(size: try file.status().size)
        do { members = try scanner.members(of: file) } catch let error as EngineError {
            throw EngineError(error.kind, "\(description): \(error.message)")
        }
        self.file = file
        self.origin = origin
        self.description = description
    }

    /// Opens what may be a pipe or compressed: the file itself where it is a plain tar that can be read at any offset, else a
    /// copy without a name.
    /// - Parameters:
    ///   - folder: where the copy is made.
    ///   - limits: what a layer may expand to.
    static func open(
        owning file: consuming FileDescriptor,
        spoolingIn folder: String,
        limits: ExpansionLimits,
        description: String
    ) throws -> TarFiles {
        let isRegular = try file.status().kind == .file
        if isRegular, try isPlain(file.raw) { return try TarFiles(owning: file, description: description) }
        let copy = try unnamedFile(in: folder)
        let source = MeteredSource(FileSource(owning: file, offset: isRegular ? 0 : nil))
        let decompressing = DecompressingSource(source)
        let budget = ExpansionBudget(limits.ofArchive)
        let limited = LimitedSource(decompressing, budget, subject: "the archive") { source.count }
        try limited.drain { try copy.write($0) }
        let origin = decompressing.format == CompressionFormat.none ? nil : source.count
        return try TarFiles(owning: copy, origin: origin, description: description)
    }

    private static func isPlain(_ file: CInt) throws -> Bool {
        var magic = [UInt8](repeating: 0, count: 5)
        let count = try retrying("reading") { pread(file, &magic, magic.count, 257) }
        return count == 5 && magic == Array("ustar".utf8)
    }

    func open(_ name: String) throws -> (source: any ByteSource, size: Int64)? {
        guard var name = TarFiles.clean(name) else { return nil }
        for _ in 0..<16 {
            switch members[name] {
            case .file(let offset, let size):
                return (FileSource(owning: try file.duplicate(), offset: offset, length: size), size)
            case .link(let target): name = target
            case nil: return nil
            }
        }
        throw EngineError(.invalid, "\(description): \"\(name)\" is a link that leads to itself")
    }

    /// A name without "." and doubled slashes; nil for one that is absolute or leads outside.
    static func clean(_ name: String, from folder: [Substring] = []) -> String? {
        if name.isAbsolutePath { return nil }
        var parts = folder
        for part in name.split(separator: "/") where part != "." {
            if part != ".." { parts.append(part) } else if parts.popLast() == nil { return nil }
        }
        return parts.joined(separator: "/")
    }

    private static func unnamedFile(in folder: String) throws -> FileDescriptor {
        let directory = try FileDescriptor.open(folder, O_PATH | O_DIRECTORY)
        do throws(SystemError) { return try FileDescriptor.unnamed(in: directory.raw) } catch {
            guard error.code == EOPNOTSUPP || error.code == EISDIR else { throw error }
            let name = "\(folder)/spool.\(getpid()).\(UInt64.random(in: 0 ... .max))"
            let file = try FileDescriptor.open(name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW)
            try Files.remove(name)
            return file
        }
    }
}
