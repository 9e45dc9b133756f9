import CLinux
import Images
import LinuxSystem
import OCI

/// A file that a person asked for by its name, opened before the work begins: one that cannot be written is refused before anything
/// is done. Without `commit` nothing of it stays.
final class OutputFile {
    /// What becomes of the name meanwhile.
    enum Manner {
        /// `save -o`, `--report`: the file appears when it is whole and on the disk, in the place of one of that name, or not at
        /// all. It belongs to whoever called sudo. A device or a pipe is written to as it is.
        case whole
        /// `--iidfile`, `--metadata-file`: what is there is emptied at once, so that nobody takes an earlier result for this one's.
        /// Never through a link, which somebody else may have put into a folder like /tmp, and never waiting for a pipe's reader.
        case emptied
        /// `--cidfile`: nothing may be there.
        case new
    }

    let sink: FileSink
    private let path: String
    private let manner: Manner
    /// Where no file is to be named at the end: a device or a pipe.
    private let isOpenedAsItIs: Bool
    /// A name of the file's that goes unless it is committed: a part of a result would pass for one.
    private var provisional: String?

    /// - Parameter purpose: the begin of the message: "failed to save image".
    init(_ path: String, _ manner: Manner, mode: mode_t, purpose: String) throws {
        self.path = path
        self.manner = manner
        switch manner {
        case .whole:
            if let status = try? FileStatus.following(path), status.kind != .file {
                guard status.kind != .directory else {
                    throw EngineError(.invalid, "\(purpose): cannot write to a directory")
                }
                isOpenedAsItIs = true
                sink = FileSink(owning: try FileDescriptor.open(path, O_WRONLY))
            } else {
                isOpenedAsItIs = false
                (sink, provisional) = try OutputFile.withoutName(for: path, mode, purpose)
            }
        case .emptied:
            let file = try OutputFile.emptied(path, mode)
            isOpenedAsItIs = try file.status().kind != .file
            sink = FileSink(owning: file)
            provisional = isOpenedAsItIs ? nil : path
        case .new:
            isOpenedAsItIs = false
            sink = FileSink(owning: try OutputFile.made(path, mode, purpose))
            provisional = path
        }
    }

    deinit {
        guard let provisional, let own = try? FileStatus.of(sink.descriptor),
            let named = try? FileStatus.of(provisional), own.isSame(as: named)
        else { return }
        unlink(provisional)
    }

    /// A device, a pipe or a terminal is waited for as any other writer would.
    func write(_ bytes: [UInt8]) throws {
        do { try bytes.withUnsafeBytes { try sink.write($0) } } catch let error as SystemError {
            throw SystemError("writing to", path, code: error.code)
        }
    }

    func write(_ text: String) throws { try write(text.rawBytes) }

    /// It stays, and has its name from now on.
    func commit() throws {
        if isOpenedAsItIs || manner != .whole {
            provisional = nil
            return
        }
        if let (user, group) = OutputFile.caller {
            try retrying("giving away", path) { fchown(sink.descriptor, user, group) }
        }
        try sink.sync()
        if provisional == nil {
            let name = try OutputFile.otherName(path)
            try retrying("naming", path) { linux_link_descriptor(sink.descriptor, AT_FDCWD, name) }
            provisional = name
        }
        if let provisional { try retrying("renaming", path) { rename(provisional, path) } }
        provisional = nil
    }

    // MARK: Opening

    /// A file without a name, or with another where the file system cannot have such.
    private static func withoutName(for path: String, _ mode: mode_t, _ purpose: String) throws -> (FileSink, String?) {
        let parent = Files.parent(of: path)
        guard FileStatus.exists(parent) else {
            throw EngineError(
                .notFound,
                "\(purpose): invalid output path: stat \(parent): no such file or directory"
            )
        }
        let folder = try FileDescriptor.open(parent, O_PATH | O_DIRECTORY)
        do throws(SystemError) {
            return (FileSink(owning: try FileDescriptor.unnamed(in: folder.raw, mode: mode)), nil)
        } catch {
            guard error.code == EOPNOTSUPP || error.code == EISDIR || error.code == ENOENT else { throw error }
            let name = try otherName(path)
            return (FileSink(owning: try FileDescriptor.open(name, O_WRONLY | O_CREAT | O_EXCL, mode: mode)), name)
        }
    }

    private static func emptied(_ path: String, _ mode: mode_t) throws(SystemError) -> FileDescriptor {
        // ENXIO: a pipe that nobody reads.
        let flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC
        let raw = try retrying("writing to", path) { linux_openat(AT_FDCWD, path, flags, mode) }
        let file = FileDescriptor(owning: raw)
        try retrying("setting up", path) { linux_fcntl(raw, F_SETFL, O_WRONLY) }
        return file
    }

    private static func made(_ path: String, _ mode: mode_t, _ purpose: String) throws -> FileDescriptor {
        guard !FileStatus.exists(path) else {
            throw EngineError(
                .conflict,
                "container ID file found, make sure the other container isn't running or delete \(path)"
            )
        }
        do throws(SystemError) {
            return try FileDescriptor.open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: mode)
        } catch {
            throw EngineError(.failed, "\(purpose): open \(path): \(error.reason.lowercasedFirst)")
        }
    }

    private static func otherName(_ path: String) throws(SystemError) -> String {
        "\(path).\(String(try Random.number(), radix: 16)).tmp"
    }

    /// Who called sudo.
    private static var caller: (uid_t, gid_t)? {
        guard Process.isRoot, let user = Process.environment("SUDO_UID").flatMap({ uid_t($0) }),
            let group = Process.environment("SUDO_GID").flatMap({ gid_t($0) })
        else { return nil }
        return (user, group)
    }
}

extension OutputFile {
    /// `--cidfile`: made before the container, so that none exists whose id could not be told. Nil where none is asked for.
    static func identification(_ parsed: ParsedArguments) throws -> OutputFile? {
        guard let path = parsed.value("cidfile"), !path.isEmpty else { return nil }
        let purpose = "failed to create the container ID file"
        return try OutputFile(path, .new, mode: FileModes.forCaller(0o644), purpose: purpose)
    }
}
