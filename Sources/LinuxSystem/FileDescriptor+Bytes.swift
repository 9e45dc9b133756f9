import CLinux

/// Names and paths as bytes, for trees that somebody else named: they need not be UTF-8.
extension FileDescriptor {
    /// The file itself, be it a link or a device, without opening it for reading (O_PATH): `path` below `directory`,
    /// with no link on the way. Nil where there is nothing.
    package static func locate(_ directory: CInt, _ path: [UInt8]) throws(SystemError) -> FileDescriptor? {
        let name = path.isEmpty ? [0x2e, 0] : path.map(CChar.init(bitPattern:)) + [0]
        do {
            return try openBeneath(directory, name, O_PATH | O_NOFOLLOW)
        } catch {
            // ELOOP: a folder on the way is a link; ENOTDIR: it is a file.
            if error.code == ENOENT || error.code == ENOTDIR || error.code == ELOOP { return nil }
            throw error
        }
    }

    /// Opens what an O_PATH descriptor of a regular file or folder stands for, through /proc/self/fd.
    package func reopened(_ flags: CInt = O_RDONLY) throws(SystemError) -> FileDescriptor {
        try FileDescriptor.open("/proc/self/fd/\(raw)", flags)
    }

    /// readlink(2) of an O_PATH descriptor of a symbolic link.
    package func linkTarget() throws(SystemError) -> [UInt8] { try Files.linkTarget("", in: raw) }
}

extension FileDescriptor {
    /// Writes all of `bytes` from an offset of the file on, in as many pwrite(2) calls as it takes.
    package func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(SystemError) {
        var done = 0
        while done < bytes.count {
            done += try retrying("writing") {
                pwrite(raw, bytes.baseAddress?.advanced(by: done), bytes.count - done, Int(offset) + done)
            }
        }
    }

    /// Writes all of an array from an offset of the file on.
    package func write(_ bytes: [UInt8], at offset: Int64) throws(SystemError) {
        var failure: SystemError?
        bytes.withUnsafeBytes { buffer in
            do throws(SystemError) { try write(buffer, at: offset) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    /// Copies a regular file's data into an empty file, sharing blocks where the file system can, and leaving holes
    /// out.
    /// - Parameter pausing: called every now and then; what it throws ends the copy.
    package func copyData(to copy: borrowing FileDescriptor, pausing: () throws -> Void = {}) throws {
        if linux_clone_file(raw, copy.raw) == 0 { return }
        let size = Int(try status().size)
        try retrying("copying") { ftruncate(copy.raw, size) }
        var start = 0
        while start < size {
            start = lseek(raw, start, SEEK_DATA)
            // ENXIO: only a hole is left.
            if start < 0 { break }
            let end = try retrying("copying") { lseek(raw, start, SEEK_HOLE) }
            // No call copies more than this, so that none takes long.
            let piece = Swift.min(end, size, start + (64 << 20))
            try copyRange(start..<piece, to: copy)
            try pausing()
            start = piece
        }
    }

    /// The stretches of a regular file that are no holes, in order (lseek(2), SEEK_DATA).
    package func dataSegments() throws(SystemError) -> [Range<Int64>] {
        let size = Int(try status().size)
        var segments: [Range<Int64>] = []
        var start = 0
        while start < size {
            start = lseek(raw, start, SEEK_DATA)
            // ENXIO: only a hole is left.
            if start < 0 { break }
            let end = Swift.min(try retrying("reading the holes of a file") { lseek(raw, start, SEEK_HOLE) }, size)
            segments.append(Int64(start)..<Int64(end))
            start = end
        }
        return segments
    }

    /// copy_file_range(2) as often as it takes; by read and write where the file systems refuse it.
    private func copyRange(_ range: Range<Int>, to copy: borrowing FileDescriptor) throws(SystemError) {
        var input = range.lowerBound
        var output = range.lowerBound
        while input < range.upperBound {
            let count = copy_file_range(raw, &input, copy.raw, &output, range.upperBound - input, 0)
            if count > 0 { continue }
            if count == 0 { throw SystemError("copying", code: EIO) }
            if errno == EINTR { continue }
            guard errno == EXDEV || errno == ENOSYS || errno == EINVAL || errno == EOPNOTSUPP else {
                throw SystemError("copying")
            }
            return try copyByHand(input..<range.upperBound, to: copy)
        }
    }

    private func copyByHand(_ range: Range<Int>, to copy: borrowing FileDescriptor) throws(SystemError) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 16)
        defer { buffer.deallocate() }
        var offset = range.lowerBound
        while offset < range.upperBound {
            let piece = UnsafeMutableRawBufferPointer(
                rebasing: buffer[..<Swift.min(buffer.count, range.upperBound - offset)]
            )
            let count = try read(into: piece, at: Int64(offset))
            if count == 0 { throw SystemError("copying", code: EIO) }
            var written = 0
            while written < count {
                written += try retrying("copying") {
                    pwrite(copy.raw, piece.baseAddress?.advanced(by: written), count - written, offset + written)
                }
            }
            offset += count
        }
    }
}
