import CLinux
import Images
import LinuxSystem
import OCI
import Runner

/// `minirun save`
enum SaveCommand {
    static let verb = Verb(
        ["image save", "save"],
        "Save one or more images to a tar archive (streamed to STDOUT by default)",
        usage: "[OPTIONS] IMAGE [IMAGE...]",
        arguments: .atLeast(1),
        completes: .image,
        options: ImageOptions.save,
        run: run
    )

    private static func run(_ parsed: ParsedArguments) throws -> Int32 {
        let platform = try parsed.platform()
        let output = parsed.value("output") ?? ""
        if output.isEmpty, Terminal.isTerminal(StandardStream.output.rawValue) {
            throw EngineError(.invalid, "cowardly refusing to save to a terminal. Use the -o flag or redirect")
        }
        try Installation.withEngine(parsed.globals) { engine in
            if output.isEmpty {
                let sink = FileSink(owning: try StandardStream.output.duplicate())
                return try engine.images.save(parsed.positional, to: sink, platform: platform)
            }
            try OutputFile.write(output) { sink in
                try engine.images.save(parsed.positional, to: sink, platform: platform)
            }
        }
        return 0
    }
}

/// A file that a person asked for by its name.
enum OutputFile {
    /// Writes the file in one step: it appears when it is whole and on the disk, in the place of one of that name, or not at
    /// all. It belongs to whoever called sudo. A device or a pipe is written to as it is.
    static func write(_ path: String, _ body: (any ByteSink) throws -> Void) throws {
        if let status = try? FileStatus.following(path), status.kind != .file {
            guard status.kind != .directory else {
                throw EngineError(.invalid, "failed to save image: cannot write to a directory")
            }
            return try body(FileSink(owning: try FileDescriptor.open(path, O_WRONLY)))
        }
        guard FileStatus.exists(Files.parent(of: path)) else {
            throw EngineError(
                .notFound,
                "failed to save image: invalid output path: stat \(Files.parent(of: path)): no such file or directory"
            )
        }
        let draft = try Draft(of: path)
        try body(draft.sink)
        if let (user, group) = caller {
            try retrying("giving away", path) { fchown(draft.sink.descriptor, user, group) }
        }
        try draft.commit()
    }

    /// The file before it has its name. Where the file system can have files without a name, nothing is left of one whoever
    /// is killed.
    private final class Draft {
        let sink: FileSink
        private let path: String
        /// Its name for the meantime.
        private var temporary: String?

        init(of path: String) throws {
            self.path = path
            let folder = try FileDescriptor.open(Files.parent(of: path), O_PATH | O_DIRECTORY)
            do throws(SystemError) {
                sink = FileSink(owning: try FileDescriptor.unnamed(in: folder.raw))
            } catch {
                guard error.code == EOPNOTSUPP || error.code == EISDIR || error.code == ENOENT else { throw error }
                let name = "\(path).\(String(try Random.number(), radix: 16)).tmp"
                sink = FileSink(owning: try FileDescriptor.open(name, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600))
                temporary = name
            }
        }

        deinit {
            if let temporary { unlink(temporary) }
        }

        /// Gives it its name, in the place of another file's.
        func commit() throws {
            try sink.sync()
            if temporary == nil {
                let name = "\(path).\(String(try Random.number(), radix: 16)).tmp"
                try retrying("naming", path) { linux_link_descriptor(sink.descriptor, AT_FDCWD, name) }
                temporary = name
            }
            if let temporary { try retrying("renaming", path) { rename(temporary, path) } }
            temporary = nil
        }
    }

    /// Who called sudo.
    private static var caller: (uid_t, gid_t)? {
        guard Process.isRoot, let user = Process.environment("SUDO_UID").flatMap({ uid_t($0) }),
            let group = Process.environment("SUDO_GID").flatMap({ gid_t($0) })
        else { return nil }
        return (user, group)
    }
}
