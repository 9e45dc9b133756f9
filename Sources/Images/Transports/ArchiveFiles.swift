import CLinux
import LinuxSystem
import OCI

/// The files that images are made of, by name: a folder's or an archive's.
protocol ArchiveFiles: Sendable {
    /// The file from its start and its size; nil where there is no such file.
    func open(_ name: String) throws -> (source: any ByteSource, size: Int64)?
    /// What a person calls it.
    var description: String { get }
    /// Of a compressed archive, its size in bytes.
    var origin: Int64? { get }
}

extension ArchiveFiles {
    var origin: Int64? { nil }

    /// A small file.
    func read(_ name: String, limit: Int = ImageStore.documentLimit) throws -> [UInt8]? {
        guard let (source, size) = try open(name) else { return nil }
        guard size <= limit else {
            throw EngineError(.invalid, "\(description): \(name) has \(size) bytes, and at most \(limit) are allowed")
        }
        return try source.readAll(limit: limit)
    }

    /// A small file that must be there.
    func require(_ name: String) throws -> [UInt8] {
        guard let bytes = try read(name) else { throw missing(name) }
        return bytes
    }

    /// A small file with JSON in it.
    func json(_ name: String) throws -> JSON? {
        guard let bytes = try read(name) else { return nil }
        do { return try JSON.parse(bytes) } catch {
            throw EngineError(.corrupt, "\(description): \(name): \(error.message)")
        }
    }

    func missing(_ name: String) -> EngineError {
        EngineError(.corrupt, "\(description) has no file \"\(name.prefix(200))\"")
    }

    /// A small blob of an OCI layout, verified.
    func document(_ descriptor: Descriptor) throws -> [UInt8] {
        let bytes = try require(descriptor.layoutPath)
        try ImageStore.verify(bytes, descriptor)
        return bytes
    }
}

extension Descriptor {
    /// Where an OCI layout has the blob.
    var layoutPath: String { "blobs/sha256/\(digest.hex)" }
}

/// A folder that somebody else wrote, such as an OCI layout.
///
/// Links in it are followed wherever they lead, as some build tools make layouts of them: its blobs are verified by
/// their digest, so that a link to some other file shows nothing of it.
struct FolderFiles: ArchiveFiles {
    let path: String
    var description: String { path }

    func open(_ name: String) throws -> (source: any ByteSource, size: Int64)? {
        let place: FileDescriptor
        // Without opening it: a device does something when it is opened, and a pipe waits.
        do throws(SystemError) { place = try FileDescriptor.open(path + "/" + name, O_PATH) } catch {
            if error.code == ENOENT || error.code == ENOTDIR { return nil }
            throw error
        }
        let status = try place.status()
        guard status.kind == .file else { throw EngineError(.invalid, "\(path)/\(name) is not a regular file") }
        return (FileSource(owning: try place.reopened(), length: status.size), status.size)
    }
}
