import CLinux
import LinuxSystem

/// A file that tells a result (`--iidfile`, `--metadata-file`), opened before the work begins: what cannot be written costs no
/// build. One of that name is emptied at once, so that nobody takes the result of an earlier build for this one's.
final class ResultFile {
    private let path: String
    private let file: FileDescriptor

    /// Never through a link, which somebody else may have put into a folder like /tmp, and never waiting for a pipe's reader.
    init(_ path: String) throws(SystemError) {
        let flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY
        // ENXIO: a pipe that nobody reads.
        let mode = FileModes.forCaller(0o644)
        let raw = try retrying("writing to", path) { linux_openat(AT_FDCWD, path, flags | O_CLOEXEC, mode) }
        file = FileDescriptor(owning: raw)
        self.path = path
    }

    /// Writes the result. A pipe or a terminal is waited for as any other writer would.
    func write(_ text: String) throws(SystemError) {
        do throws(SystemError) {
            try retrying("setting up", path) { linux_fcntl(file.raw, F_SETFL, O_WRONLY) }
            try file.write(text)
        } catch {
            throw SystemError("writing to", path, code: error.code)
        }
    }

    /// After a failure: an empty file would pass for a result.
    func remove() {
        guard let own = try? file.status(), own.kind == .file, let named = try? FileStatus.of(path),
            own.isSame(as: named)
        else { return }
        try? Files.remove(path)
    }
}
