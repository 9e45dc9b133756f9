import CLinux
import Images
import LinuxSystem
import OCI

/// A file that a person asked for by its name.
///
/// It appears when it is whole and on the disk, in the place of one of that name, or not at all. It belongs to whoever called
/// sudo. A device or a pipe is written to as it is.
final class OutputFile {
    let sink: FileSink
    private let path: String
    /// Where no file is to be named at the end.
    private let isOpenedAsItIs: Bool
    /// The file's name for the meantime, where the file system cannot have files without a name.
    private var temporary: String?

    /// Opens it, so that one that cannot be written is refused before anything is done.
    ///
    /// - Parameter purpose: the begin of the message: "failed to save image".
    init(_ path: String, mode: mode_t = 0o600, purpose: String) throws {
        self.path = path
        if let status = try? FileStatus.following(path), status.kind != .file {
            guard status.kind != .directory else {
                throw EngineError(.invalid, "\(purpose): cannot write to a directory")
            }
            isOpenedAsItIs = true
            sink = FileSink(owning: try FileDescriptor.open(path, O_WRONLY))
            return
        }
        isOpenedAsItIs = false
        let parent = Files.parent(of: path)
        guard FileStatus.exists(parent) else {
            throw EngineError(
                .notFound,
                "\(purpose): invalid output path: stat \(parent): no such file or directory"
            )
        }
        let folder = try FileDescriptor.open(parent, O_PATH | O_DIRECTORY)
        do throws(SystemError) {
            sink = FileSink(owning: try FileDescriptor.unnamed(in: folder.raw, mode: mode))
        } catch {
            guard error.code == EOPNOTSUPP || error.code == EISDIR || error.code == ENOENT else { throw error }
            let name = "\(path).\(String(try Random.number(), radix: 16)).tmp"
            sink = FileSink(owning: try FileDescriptor.open(name, O_WRONLY | O_CREAT | O_EXCL, mode: mode))
            temporary = name
        }
    }

    deinit {
        if let temporary { unlink(temporary) }
    }

    /// Gives it its name, in the place of another file's.
    func commit() throws {
        if isOpenedAsItIs { return }
        if let (user, group) = OutputFile.caller {
            try retrying("giving away", path) { fchown(sink.descriptor, user, group) }
        }
        try sink.sync()
        if temporary == nil {
            let name = "\(path).\(String(try Random.number(), radix: 16)).tmp"
            try retrying("naming", path) { linux_link_descriptor(sink.descriptor, AT_FDCWD, name) }
            temporary = name
        }
        if let temporary { try retrying("renaming", path) { rename(temporary, path) } }
        temporary = nil
    }

    /// Who called sudo.
    private static var caller: (uid_t, gid_t)? {
        guard Process.isRoot, let user = Process.environment("SUDO_UID").flatMap({ uid_t($0) }),
            let group = Process.environment("SUDO_GID").flatMap({ gid_t($0) })
        else { return nil }
        return (user, group)
    }
}
