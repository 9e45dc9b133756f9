import CLinux

/// How a process ended.
package enum ExitStatus: Equatable, Sendable {
    case exited(Int32)
    case signalled(Int32)

    /// From a status of wait(2).
    package init(waitStatus: Int32) {
        let signal = linux_term_signal(waitStatus)
        self = signal != 0 ? .signalled(signal) : .exited(linux_exit_code(waitStatus))
    }

    /// The code a shell would show: 128 + n after signal n.
    package var code: Int32 {
        switch self {
        case .exited(let code): code
        case .signalled(let signal): 128 + signal
        }
    }
}

/// Runs other programs (hooks, credential helpers, tools in tests) and waits for them.
package enum Subprocess {
    package struct Result: Sendable {
        package let status: ExitStatus
        package let output: [UInt8]
        package let error: [UInt8]
        /// It ran past its time and was killed.
        package let timedOut: Bool

        package var outputText: String { String(rawBytes: output) }
        package var errorText: String { String(rawBytes: error) }
    }

    /// As whom a program runs.
    package struct Identity: Sendable {
        package let uid: uid_t
        package let gid: gid_t
        package let groups: [gid_t]

        package init(uid: uid_t, gid: gid_t, groups: [gid_t]) {
            self.uid = uid
            self.gid = gid
            self.groups = groups
        }
    }

    /// Runs a program found in the PATH, feeds it `input`, and collects what it prints. The child gets no other descriptors
    /// of ours (all are O_CLOEXEC) and default signal actions.
    ///
    /// - Parameters:
    ///   - program: what is executed, where that is not the first argument; no PATH is searched for it then.
    ///   - environment: `NAME=value`; nil passes ours on.
    ///   - identity: another user, for root only; the program is searched, and started, with that user's rights.
    ///   - timeout: milliseconds after which the child is killed; nil waits for ever.
    package static func run(
        _ arguments: [String],
        program: String? = nil,
        environment: [String]? = nil,
        as identity: Identity? = nil,
        directory: String? = nil,
        input: [UInt8] = [],
        timeout: Int? = nil
    ) throws(SystemError) -> Result {
        let stdin = try Pipe()
        let stdout = try Pipe()
        let stderr = try Pipe()
        let pid = try start(
            arguments,
            program: program,
            environment: environment,
            as: identity,
            directory: directory,
            descriptors: [stdin.reading.raw, stdout.writing.raw, stderr.writing.raw]
        )
        let deadline = timeout.map { Clock.deadline(in: $0) }
        let channels = Channels(stdin: stdin.keepWriting(), stdout: stdout.keepReading(), stderr: stderr.keepReading())
        let collected = try channels.exchange(
            input,
            deadline: deadline
        )
        // It may have closed its outputs and stay.
        let timedOut = collected.timedOut || !hasEnded(pid, before: deadline)
        if timedOut { kill(pid, SIGKILL) }
        return Result(
            status: try wait(for: pid),
            output: collected.output,
            error: collected.error,
            timedOut: timedOut
        )
    }

    /// Starts a program with the given descriptors as its 0, 1 and 2. The caller must `wait(for:)` it.
    ///
    /// - Parameter terminal: the path of a terminal, which becomes that of the new session and the program's 0 to 2 before
    ///   `descriptors` take the place of some of them (-1 leaves the terminal).
    package static func start(
        _ arguments: [String],
        program: String? = nil,
        environment: [String]? = nil,
        as identity: Identity? = nil,
        directory: String? = nil,
        descriptors: [CInt],
        newSession: Bool = false,
        terminal: String? = nil
    ) throws(SystemError) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if let terminal {
            // The first terminal that a session's leader opens becomes the session's.
            posix_spawn_file_actions_addopen(&actions, 0, terminal, O_RDWR, 0)
            for number: CInt in 1...2 { posix_spawn_file_actions_adddup2(&actions, 0, number) }
        }
        for (number, descriptor) in descriptors.enumerated() where descriptor >= 0 {
            posix_spawn_file_actions_adddup2(&actions, descriptor, CInt(number))
        }
        directory?.withRawCString { _ = posix_spawn_file_actions_addchdir_np(&actions, $0) }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        let flags =
            POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
            | (newSession || terminal != nil ? Int32(linux_spawn_setsid) : 0)
        posix_spawnattr_setflags(&attributes, Int16(flags))
        var pid: pid_t = 0
        let code = CStrings.with(arguments) { argv in
            CStrings.with(environment ?? []) { envp in
                let entries = environment == nil ? linux_environment() : envp
                // What is executed, and whether a PATH is searched for it.
                let file = program ?? arguments.first ?? ""
                if let identity {
                    return file.withRawCString { file in
                        linux_spawn_as(
                            identity.uid,
                            identity.gid,
                            identity.groups,
                            identity.groups.count,
                            &pid,
                            file,
                            &actions,
                            &attributes,
                            argv,
                            entries
                        )
                    }
                }
                if program != nil {
                    return file.withRawCString { posix_spawn(&pid, $0, &actions, &attributes, argv, entries) }
                }
                guard let first = argv[0] else { return EINVAL }
                return posix_spawnp(&pid, first, &actions, &attributes, argv, entries)
            }
        }
        if code != 0 { throw SystemError("starting", arguments.first, code: code) }
        return pid
    }

    /// Waits until a child of ours has ended, and leaves it to `wait(for:)`; false at the deadline.
    private static func hasEnded(_ pid: pid_t, before deadline: UInt64?) -> Bool {
        guard let deadline else { return true }
        let process = FileDescriptor(owning: linux_pidfd_open(pid))
        while true {
            var information = siginfo_t()
            let result = waitid(P_PID, id_t(pid), &information, WEXITED | WNOHANG | WNOWAIT)
            // Without a child there is nothing to wait for: `wait(for:)` says so.
            if result != 0 && errno != EINTR || result == 0 && information.si_signo != 0 { return true }
            let left = Clock.milliseconds(until: deadline)
            if left == 0 { return false }
            // Where a pidfd is refused, poll(2) takes -1 for nothing and returns after its time.
            var end = pollfd(fd: process.raw, events: Int16(POLLIN), revents: 0)
            poll(&end, 1, process.raw < 0 ? min(left, 10) : left)
        }
    }

    /// waitpid(2).
    package static func wait(for pid: pid_t) throws(SystemError) -> ExitStatus {
        var status: Int32 = 0
        try retrying("waiting for process \(pid)") { waitpid(pid, &status, 0) }
        return ExitStatus(waitStatus: status)
    }
}

/// A NULL-terminated array of C strings for the length of a call.
package enum CStrings {
    package static func with<R>(_ strings: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> R)
        -> R
    {
        var pointers: [UnsafeMutablePointer<CChar>?] = strings.map { $0.withRawCString { strdup($0) } }
        defer { for pointer in pointers { free(pointer) } }
        pointers.append(nil)
        return pointers.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { preconditionFailure("an array with an element has an address") }
            return body(base)
        }
    }
}

/// A pipe with both its ends.
package struct Pipe: ~Copyable {
    package let reading: FileDescriptor
    package let writing: FileDescriptor

    package init() throws(SystemError) {
        var ends: (CInt, CInt) = (-1, -1)
        try retrying("creating a pipe") { linux_pipe(&ends.0, &ends.1) }
        reading = FileDescriptor(owning: ends.0)
        writing = FileDescriptor(owning: ends.1)
    }

    /// Closes the writing end.
    package consuming func keepReading() -> FileDescriptor { reading }
    /// Closes the reading end.
    package consuming func keepWriting() -> FileDescriptor { writing }
}

/// Our ends of a child's three descriptors.
private struct Channels: ~Copyable {
    var stdin: FileDescriptor?
    let stdout: FileDescriptor
    let stderr: FileDescriptor

    init(stdin: consuming FileDescriptor, stdout: consuming FileDescriptor, stderr: consuming FileDescriptor) {
        self.stdin = consume stdin
        self.stdout = stdout
        self.stderr = stderr
    }

    /// Writes and reads as the child is ready, so that neither side waits for the other for ever.
    consuming func exchange(_ input: [UInt8], deadline: UInt64?) throws(SystemError)
        -> (output: [UInt8], error: [UInt8], timedOut: Bool)
    {
        var written = 0
        var collected: (output: [UInt8], error: [UInt8], timedOut: Bool) = ([], [], false)
        var open = (output: true, error: true)
        if input.isEmpty { stdin = nil }
        // POLLOUT promises room for a page only: a larger write would wait for a child that waits for us to read.
        if let raw = stdin.descriptorNumberIfOpen { linux_fcntl(raw, F_SETFL, O_WRONLY | O_NONBLOCK) }
        linux_ignore_signal(SIGPIPE)
        while open.output || open.error {
            var polls = [
                pollfd(fd: open.output ? stdout.raw : -1, events: Int16(POLLIN), revents: 0),
                pollfd(fd: open.error ? stderr.raw : -1, events: Int16(POLLIN), revents: 0),
                pollfd(fd: stdin.descriptorNumber, events: Int16(POLLOUT), revents: 0),
            ]
            if poll(&polls, 3, deadline.map { Clock.milliseconds(until: $0) } ?? -1) == 0 {
                // poll(2) takes no more than 24 days at once.
                guard let deadline, Clock.milliseconds(until: deadline) == 0 else { continue }
                // What it has started may hold the pipes for ever.
                collected.timedOut = true
                break
            }
            if polls[0].revents != 0 { open.output = try Channels.append(stdout, to: &collected.output) }
            if polls[1].revents != 0 { open.error = try Channels.append(stderr, to: &collected.error) }
            if polls[2].revents != 0, let raw = stdin.descriptorNumberIfOpen {
                let count = input.withUnsafeBytes {
                    write(raw, $0.baseAddress.map { $0 + written }, min(65536, input.count - written))
                }
                if count > 0 { written += count }
                if count < 0 && errno != EINTR && errno != EAGAIN || written == input.count { stdin = nil }
            }
        }
        return collected
    }

    private static func append(_ file: borrowing FileDescriptor, to bytes: inout [UInt8]) throws(SystemError) -> Bool {
        var chunk = [UInt8](repeating: 0, count: 65536)
        let count = try retrying("reading") { read(file.raw, &chunk, chunk.count) }
        bytes += chunk[..<count]
        return count > 0
    }
}

extension Optional where Wrapped == FileDescriptor, Wrapped: ~Copyable {
    fileprivate var descriptorNumber: CInt { descriptorNumberIfOpen ?? -1 }
    fileprivate var descriptorNumberIfOpen: CInt? {
        switch self {
        case .some(let file): file.raw
        case .none: nil
        }
    }
}
