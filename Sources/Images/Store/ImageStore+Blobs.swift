import CLinux
import LinuxSystem
import OCI

/// Content by its digest: `images/blobs/sha256/HEX`. What stands there was verified when it was written and was synced
/// before it got its name.
extension ImageStore {
    /// Manifests, indexes and configurations beyond this size are refused, as registries and other engines do.
    package static let documentLimit = 8 << 20

    /// Where the blob is, or would be.
    package func blobPath(_ digest: Digest) -> String { blobFolder + "/" + digest.hex }

    /// Whether the blob is there; one of another size than `size` is not it.
    package func hasBlob(_ digest: Digest, size: Int64? = nil) -> Bool {
        guard let status = try? FileStatus.of(blobPath(digest)), status.kind == .file else { return false }
        return size == nil || status.size == size
    }

    /// Whether the blob is there and is what its digest says: reads all of it.
    package func hasSoundBlob(_ digest: Digest, size: Int64) -> Bool {
        guard hasBlob(digest, size: size), let file = try? openBlobFile(digest) else { return false }
        let source = HashingSource(FileSource(owning: file))
        return (try? source.drain()) != nil && source.digest == digest
    }

    /// The blob from its start; verified at its end (`VerifiedSource`).
    package func openBlob(_ descriptor: Descriptor) throws -> any ByteSource {
        let file: FileDescriptor
        do throws(SystemError) { file = try openBlobFile(descriptor.digest) } catch {
            throw ImageStore.missing(descriptor.digest, error)
        }
        return VerifiedSource(FileSource(owning: file), digest: descriptor.digest, size: descriptor.size)
    }

    /// Never waits, whatever stands there.
    private func openBlobFile(_ digest: Digest) throws(SystemError) -> FileDescriptor {
        try FileDescriptor.open(blobPath(digest), O_RDONLY | O_NONBLOCK)
    }

    /// A small blob, verified.
    package func readBlob(_ descriptor: Descriptor, limit: Int = ImageStore.documentLimit) throws -> [UInt8] {
        let bytes: [UInt8]
        do throws(SystemError) { bytes = try openBlobFile(descriptor.digest).readAll(limit: limit) } catch {
            throw ImageStore.missing(descriptor.digest, error)
        }
        try ImageStore.verify(bytes, descriptor)
        return bytes
    }

    /// A manifest, index or configuration of which only the digest is known; nil where it is damaged.
    package func document(_ digest: Digest) throws(SystemError) -> [UInt8]? {
        let bytes = try Files.read(blobPath(digest), limit: ImageStore.documentLimit)
        return SHA256Digest.of(bytes) == digest ? bytes : nil
    }

    /// Throws unless the bytes are what the descriptor says.
    static func verify(_ bytes: [UInt8], _ descriptor: Descriptor) throws {
        guard bytes.count == descriptor.size, SHA256Digest.of(bytes) == descriptor.digest else {
            throw EngineError(.corrupt, "blob \(descriptor.digest) is not what its digest and size say")
        }
    }

    private static func missing(_ digest: Digest, _ error: SystemError) -> any Error {
        error.code == ENOENT ? EngineError(.notFound, "blob \(digest) is not in the store") : error
    }

    /// Stores what `source` holds.
    ///
    /// With `expected` the blob is refused unless it has that digest and size, and nothing is read if it is there
    /// already. The name's own durability comes with `commit`.
    @discardableResult
    package func ingest(_ source: any ByteSource, expected: Descriptor? = nil) throws -> (digest: Digest, size: Int64) {
        if let expected, hasSoundBlob(expected.digest, size: expected.size) { return (expected.digest, expected.size) }
        let writer = try blobWriter()
        if let expected {
            try VerifiedSource(source, digest: expected.digest, size: expected.size).copy(to: writer)
        } else {
            try source.copy(to: writer)
        }
        return try writer.commit()
    }

    /// Stores a document that is in memory, unless it is so large that it could not be read again.
    @discardableResult
    package func ingest(_ bytes: [UInt8], mediaType: MediaType) throws -> Descriptor {
        guard bytes.count <= ImageStore.documentLimit || mediaType == .layer else {
            throw EngineError(
                .invalid,
                "an image's configuration or manifest of \(bytes.count) bytes: at most \(ImageStore.documentLimit) are allowed"
            )
        }
        let (digest, size) = try ingest(MemorySource(bytes), expected: ImageStore.descriptor(of: bytes, mediaType))
        return Descriptor(mediaType: mediaType, digest: digest, size: size)
    }

    static func descriptor(of bytes: [UInt8], _ mediaType: MediaType) -> Descriptor {
        Descriptor(mediaType: mediaType, digest: SHA256Digest.of(bytes), size: Int64(bytes.count))
    }

    /// Starts a blob whose digest will be what is written.
    package func blobWriter() throws -> BlobWriter { try BlobWriter(store: self) }

    /// A file without a name in the store's file system, to be read and written.
    func unnamedFile() throws -> FileDescriptor {
        let folder = try FileDescriptor.open(temporaryFolder, O_PATH | O_DIRECTORY)
        return try FileDescriptor.unnamed(in: folder.raw, mode: 0o644)
    }
}

/// A blob in the making: nobody sees it before `commit`, and it is gone if that never comes.
package final class BlobWriter: ByteSink {
    private let store: ImageStore
    private let file: FileDescriptor
    /// The name under tmp/ where the file system has no O_TMPFILE.
    private let temporary: String?
    private let hashing: HashingSink

    fileprivate init(store: ImageStore) throws {
        self.store = store
        let folder = try FileDescriptor.open(store.blobFolder, O_PATH | O_DIRECTORY)
        do throws(SystemError) {
            file = try FileDescriptor.unnamed(in: folder.raw, mode: 0o644)
            temporary = nil
        } catch {
            guard error.code == EOPNOTSUPP || error.code == EISDIR else { throw error }
            let name = "\(store.temporaryFolder)/blob.\(getpid()).\(UInt64.random(in: 0 ... .max))"
            file = try FileDescriptor.open(name, O_RDWR | O_CREAT | O_EXCL, mode: 0o644)
            temporary = name
        }
        hashing = HashingSink()
    }

    deinit {
        if let temporary { unlink(temporary) }
    }

    package func write(_ bytes: UnsafeRawBufferPointer) throws {
        try hashing.write(bytes)
        try file.write(bytes)
    }

    /// The SHA-256 of all that was written so far.
    package var digest: Digest { hashing.digest }
    /// How many bytes were written so far.
    package var count: Int64 { hashing.count }

    /// Syncs the blob and gives it its name. One that is there already is kept if it holds the same bytes.
    package func commit() throws -> (digest: Digest, size: Int64) {
        let digest = hashing.digest
        if store.hasSoundBlob(digest, size: count) { return (digest, count) }
        try file.sync()
        do throws(SystemError) { try name(store.blobPath(digest)) } catch {
            guard error.code == EEXIST else { throw error }
            // Somebody else stored the same content meanwhile; or else what stands there is damaged, and gives way in
            // one step so that no reader ever misses it.
            if !store.hasSoundBlob(digest, size: count) {
                let other = "\(store.temporaryFolder)/mend.\(getpid()).\(UInt64.random(in: 0 ... .max))"
                try name(other)
                try retrying("renaming", other) { rename(other, store.blobPath(digest)) }
            }
        }
        return (digest, count)
    }

    private func name(_ path: String) throws(SystemError) {
        if let temporary {
            try retrying("naming", path) { link(temporary, path) }
        } else {
            try file.linkUnnamed(into: AT_FDCWD, as: path)
        }
    }
}
