import CLinux

/// A started shim: its control socket and its pid. One that stays is the init of an outer pid namespace, so that its end, and
/// the end of the process that holds this value, is the end of everything in the container.
package struct MonitorProcess: ~Copyable {
    /// A SOCK_SEQPACKET socket; messages as `launch_plan.h` says.
    package let control: FileDescriptor
    package let pid: pid_t
    package let pidfd: FileDescriptor

    /// Starts the program with the number of its control socket before the given arguments, and with 0 to 2. Call it from the main thread: the kernel ends the monitor
    /// when the *thread* that started it ends (PR_SET_PDEATHSIG, prctl(2)).
    ///
    /// - Parameters:
    ///   - staysAsInit: of a pid namespace of its own.
    ///   - preserved: how many descriptors of the caller's, from 3 on, are handed on.
    package init(
        program: borrowing FileDescriptor,
        arguments: [String],
        stdio: (CInt, CInt, CInt),
        staysAsInit: Bool = true,
        preserved: Int = 0
    ) throws(SystemError) {
        var ends: (CInt, CInt) = (-1, -1)
        try retrying("creating a socket pair") { linux_socket_pair(&ends.0, &ends.1) }
        let control = FileDescriptor(owning: ends.0)
        let theirs = FileDescriptor(owning: ends.1)
        var pidfd: CInt = -1
        let descriptors: [CInt] = [stdio.0, stdio.1, stdio.2]
        let pid = try retrying("starting the shim") {
            CStrings.with(["minirun-shim", "\(3 + preserved)"] + arguments) { words in
                linux_spawn_monitor(
                    program.raw,
                    descriptors,
                    theirs.raw,
                    CInt(preserved),
                    staysAsInit ? 1 : 0,
                    words,
                    &pidfd
                )
            }
        }
        self.control = control
        self.pid = pid
        self.pidfd = FileDescriptor(owning: pidfd)
    }

    /// Opens the shim so that a container cannot write to it.
    package static func openProgram(_ path: String) throws(SystemError) -> FileDescriptor {
        FileDescriptor(owning: try retrying("opening", path) { linux_open_protected_program(path) })
    }

    /// Receives one message of `size` bytes into `message`, and a descriptor that came with it. False at the end.
    package func receive(_ message: UnsafeMutableRawPointer, size: Int) throws(SystemError) -> (
        received: Bool, descriptor: CInt
    ) {
        try MonitorProcess.receive(message, size: size, over: control)
    }

    /// The same over a control socket alone.
    package static func receive(
        _ message: UnsafeMutableRawPointer,
        size: Int,
        over control: borrowing FileDescriptor
    ) throws(SystemError) -> (received: Bool, descriptor: CInt) {
        var descriptor: CInt = -1
        let count = try retrying("receiving from the shim") { linux_receive(control.raw, message, size, &descriptor) }
        return (count == size, descriptor)
    }

    /// Sends one message.
    package func send(_ message: UnsafeRawBufferPointer) throws(SystemError) {
        try MonitorProcess.send(message, over: control)
    }

    /// The same over a control socket alone.
    package static func send(_ message: UnsafeRawBufferPointer, over control: borrowing FileDescriptor)
        throws(SystemError)
    {
        try delivering {
            CLinux.send(control.raw, message.baseAddress, message.count, Int32(MSG_NOSIGNAL))
        }
    }

    /// A shim that is gone is no error here: that, and why, shows when its end is read. Every other failure is one: it would
    /// wait for the message, and we for its answer.
    private static func delivering(_ send: () -> Int) throws(SystemError) {
        do throws(SystemError) { try retrying("sending to the shim", nil, send) } catch {
            if error.code != EPIPE, error.code != ECONNRESET { throw error }
        }
    }

    /// Sends one message with a file in memory that holds `content`, and more descriptors after it.
    package func send(
        _ message: UnsafeRawBufferPointer,
        with content: [UInt8],
        descriptors: [CInt] = []
    ) throws(SystemError) {
        try MonitorProcess.send(message, with: content, descriptors: descriptors, over: control)
    }

    /// The same over a control socket alone.
    package static func send(
        _ message: UnsafeRawBufferPointer,
        with content: [UInt8],
        descriptors: [CInt],
        over control: borrowing FileDescriptor
    ) throws(SystemError) {
        let memory = try FileDescriptor.inMemory("launch-plan")
        try memory.write(content)
        let all = [memory.raw] + descriptors
        try delivering {
            linux_send_descriptors(control.raw, message.baseAddress, message.count, all, all.count)
        }
    }

    /// Kills the shim and with it the container, and waits for its end.
    package func kill() {
        _ = linux_pidfd_send_signal(pidfd.raw, SIGKILL)
        _ = try? Subprocess.wait(for: pid)
    }

    /// Waits for the shim's end.
    package func wait() { _ = try? Subprocess.wait(for: pid) }
}
