import CLinux

/// A pseudo-terminal of our own: this end is the person, the other end is a program's terminal.
package struct PseudoTerminal: ~Copyable {
    /// What is written here has been typed; what is read here is on the screen.
    package let master: FileDescriptor
    /// The other end's name, "/dev/pts/3".
    package let name: String

    /// posix_openpt(3), of a given size.
    package init(columns: Int = 80, rows: Int = 24) throws(SystemError) {
        let master = FileDescriptor(
            owning: try retrying("opening a terminal") { posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC) }
        )
        try retrying("unlocking a terminal") { unlockpt(master.raw) }
        var name = [CChar](repeating: 0, count: 64)
        let code = ptsname_r(master.raw, &name, name.count)
        if code != 0 { throw SystemError("naming a terminal", code: code) }
        try Terminal.setSize(master.raw, columns: columns, rows: rows)
        self.name = String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        self.master = master
    }

    /// Starts a program in a session of its own with this terminal as its controlling terminal and as its 0, 1 and 2, save
    /// those in whose place `descriptors` has another. The caller must `Subprocess.wait(for:)` it.
    package func start(_ arguments: [String], environment: [String]? = nil, descriptors: [CInt: CInt] = [:])
        throws(SystemError) -> pid_t
    {
        try Subprocess.start(
            arguments,
            environment: environment,
            descriptors: (0...2).map { descriptors[$0] ?? -1 },
            terminal: name
        )
    }
}
