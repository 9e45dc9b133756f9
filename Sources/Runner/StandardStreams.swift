import CLinux
import LinuxSystem
import OCI
import Runtime

/// The caller's 0, 1 and 2 on their way to a program without a terminal.
///
/// Pipes and sockets are inherited as they are. A file or a device has an inode that a container with the descriptor could open
/// anew through /proc/self/fd, for writing or to change its mode, as root there is root here: so a file to read is opened anew
/// on a read-only mount, the memory devices are the shim's to replace (LP_OWN_STREAMS), and what is left, files to write and
/// terminals, gets a pipe that this process carries. It is read to its end before the run is over, so nothing is lost by it either.
final class StandardStreams {
    /// What becomes 0 to 2 of the program.
    private(set) var theirs: (input: CInt, output: CInt, error: CInt)
    private var input: InputPump?
    private var outputs: [OutputPump] = []
    /// The program's ends of the pipes.
    private var ends: [OwnedEnd] = []
    private var carriesInput: Bool { input != nil }
    private var carriesOutput = false

    /// - Parameter null: /dev/null, for a program that is to have no input.
    init(interactive: Bool, null: CInt) throws {
        var kinds = try (0...2).map { try Kind($0) }
        theirs = (interactive ? 0 : null, 1, 2)
        if interactive { try protectInput(&kinds[0]) }
        carriesOutput = kinds[1] == .carried
        if carriesOutput { theirs.output = try carry(to: 1) }
        if kinds[2] == .carried {
            // One pipe for both where they are one file or terminal: two would lose the order between them.
            theirs.error = try kinds[1] == .carried && StandardStreams.same(1, 2) ? theirs.output : carry(to: 2)
        }
    }

    /// A file is opened anew so that it can only be read; what cannot be is carried.
    private func protectInput(_ kind: inout Kind) throws {
        if kind == .file {
            let own = linux_reopen_read_only(0)
            if own >= 0 {
                ends.append(try OwnedEnd(FileDescriptor(owning: own)))
                theirs.input = ends[ends.count - 1].file.raw
                return
            }
            kind = .carried
        }
        guard kind == .carried else { return }
        let pipe = try Pipe()
        ends.append(try OwnedEnd(pipe.reading))
        input = try InputPump(from: 0, into: pipe.writing)
        theirs.input = ends[ends.count - 1].file.raw
    }

    private func carry(to destination: CInt) throws -> CInt {
        let pipe = try Pipe()
        ends.append(try OwnedEnd(pipe.writing))
        outputs.append(OutputPump(from: try pipe.reading.duplicate(), to: destination))
        return ends[ends.count - 1].file.raw
    }

    /// Closes our copies of the program's ends: the end of its output is then the end of its pipe.
    func launched() { ends = [] }

    /// Puts /dev/null in the place of what the program has inherited: whoever reads its output waits for its end, not for ours.
    func letGo(_ null: CInt) {
        if !carriesInput { dup2(null, 0) }
        if !carriesOutput { dup2(null, 1) }
    }

    /// What to poll; empty where everything was inherited.
    var polled: [pollfd] {
        (input?.polled ?? []) + outputs.flatMap(\.polled)
    }

    /// Carries what `polled` has found.
    func carry(_ polls: ArraySlice<pollfd>) {
        var polls = polls
        if let input {
            input.carry(polls.prefix(2).map { $0.revents != 0 })
            polls = polls.dropFirst(2)
        }
        carryOutputs(polls)
    }

    private func carryOutputs(_ polls: ArraySlice<pollfd>) {
        var polls = polls
        for output in outputs {
            output.carry(polls.prefix(2).map { $0.revents != 0 })
            polls = polls.dropFirst(2)
        }
    }

    /// After the program's end: whether there is more to go out of what it wrote, once `polledOutputs` says that it can.
    var isDraining: Bool { outputs.contains(where: \.isBusy) }
    var polledOutputs: [pollfd] { outputs.flatMap(\.polled) }

    /// Carries what `polledOutputs` has found.
    func drain(_ polls: ArraySlice<pollfd>) { carryOutputs(polls) }

    private enum Kind {
        case inherited
        /// A file to read.
        case file
        case carried

        /// Refuses what would be a door to the host: a folder (`fchdir`, and from there everything), a path descriptor, a
        /// block device. A missing one is filled with /dev/null, so that nothing else ever takes its number.
        init(_ number: CInt) throws {
            let flags = linux_fcntl(number, F_GETFL, 0)
            if flags < 0 {
                // Without O_CLOEXEC, as it is to be inherited; the lowest free number is the one that is missing.
                guard linux_openat(AT_FDCWD, "/dev/null", O_RDWR, 0) == number else {
                    throw EngineError(.failed, "descriptor \(number) is closed")
                }
                self = .inherited
                return
            }
            var status = stat()
            guard fstat(number, &status) == 0 else { throw SystemError("reading the status of descriptor \(number)") }
            let kind = status.st_mode & mode_t(S_IFMT)
            switch kind {
            case _ where flags & linux_o_path != 0, mode_t(S_IFDIR), mode_t(S_IFBLK):
                throw EngineError(
                    .invalid,
                    "descriptor \(number) is a folder, a path or a block device: a container must not have it"
                )
            case mode_t(S_IFREG):
                // One without a name is nobody's but the caller's: a shell's here-document.
                self = flags & O_ACCMODE != O_RDONLY ? .carried : status.st_nlink == 0 ? .inherited : .file
            case mode_t(S_IFCHR):
                let isMemory =
                    linux_major(status.st_rdev) == 1 && [3, 5, 7, 8, 9].contains(linux_minor(status.st_rdev))
                self = isMemory ? .inherited : .carried
            default: self = .inherited
            }
        }
    }

    private static func same(_ one: CInt, _ other: CInt) -> Bool {
        var a = stat()
        var b = stat()
        return fstat(one, &a) == 0 && fstat(other, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino
    }
}

/// A descriptor in an array: owners themselves cannot be copied into one.
private final class OwnedEnd {
    let file: FileDescriptor
    init(_ file: borrowing FileDescriptor) throws { self.file = try file.duplicate() }
}

/// Carries a program's output to a file or a terminal of the caller; never waits for either, so that a terminal that was stopped
/// (Ctrl-S) keeps no signal from the program.
private final class OutputPump {
    private let source: FileDescriptor
    private let destination: CallerOutput
    private var isOpen = true
    private var waiting: ArraySlice<UInt8> = []

    init(from source: consuming FileDescriptor, to destination: CInt) {
        self.source = source
        self.destination = CallerOutput(destination)
    }

    /// The pipe while there is nothing to write, the caller's side while there is.
    var polled: [pollfd] {
        [
            pollfd(fd: isOpen && waiting.isEmpty ? source.raw : -1, events: Int16(POLLIN), revents: 0),
            pollfd(fd: waiting.isEmpty ? -1 : destination.raw, events: Int16(POLLOUT), revents: 0),
        ]
    }

    /// Whether there is something to write or to read, or the end. Somebody else may hold the pipe, so that its end never comes.
    var isBusy: Bool {
        if !waiting.isEmpty || !isOpen { return !waiting.isEmpty }
        var ready = pollfd(fd: source.raw, events: Int16(POLLIN), revents: 0)
        return poll(&ready, 1, 0) > 0
    }

    /// At most one read, and what can be written of it. After an error of the caller's side the program finds its pipe without
    /// a reader.
    func carry(_ ready: [Bool]) {
        if ready[1] { write() }
        guard ready[0], waiting.isEmpty, isOpen else { return }
        var chunk = [UInt8](repeating: 0, count: 65536)
        let count = read(source.raw, &chunk, chunk.count)
        if count < 0, errno == EINTR { return }
        guard count > 0 else {
            isOpen = false
            return
        }
        waiting = chunk[..<count]
        if !destination.mayBlock { write() }
    }

    private func write() {
        if destination.write(&waiting) { return }
        (isOpen, waiting) = (false, [])
    }
}

/// Carries what the caller types, or a device gives, to a program; never waits for either.
private final class InputPump {
    private let source: CInt
    private var sink: FileDescriptor?
    private var waiting: ArraySlice<UInt8> = []

    init(from source: CInt, into sink: borrowing FileDescriptor) throws {
        self.source = source
        let own = try sink.duplicate()
        try retrying("setting up standard input") { linux_fcntl(own.raw, F_SETFL, O_WRONLY | O_NONBLOCK) }
        self.sink = consume own
    }

    private var raw: CInt {
        switch sink {
        case .some(let file): file.raw
        case .none: -1
        }
    }

    /// The source while there is nothing to write, the pipe while there is.
    var polled: [pollfd] {
        [
            pollfd(fd: raw >= 0 && waiting.isEmpty ? source : -1, events: Int16(POLLIN), revents: 0),
            pollfd(fd: raw, events: waiting.isEmpty ? 0 : Int16(POLLOUT), revents: 0),
        ]
    }

    func carry(_ ready: [Bool]) {
        if ready[0] {
            var chunk = [UInt8](repeating: 0, count: 65536)
            let count = read(source, &chunk, chunk.count)
            if count > 0 { waiting = chunk[..<count] } else if count == 0 || errno != EINTR { sink = nil }
        }
        if ready[1], waiting.isEmpty { sink = nil }  // The program has closed its side.
        while !waiting.isEmpty, raw >= 0 {
            let count = waiting.withUnsafeBytes { write(raw, $0.baseAddress, $0.count) }
            if count >= 0 {
                waiting = waiting.dropFirst(count)
            } else if errno == EAGAIN {
                return
            } else if errno != EINTR {
                sink = nil
            }
        }
    }
}
