import CLinux
import LinuxSystem
import OCI

/// What a service in a container says to the systemd outside (sd_notify(3)).
///
/// The container gets a socket of its own at /run/notify/notify.sock. The command that starts the container reads it, and hands
/// on that the service is ready, and which process is the service's main one: that it is this one only the runtime knows.
package struct NotifySocket: ~Copyable {
    private let socket: FileDescriptor
    /// The caller's NOTIFY_SOCKET.
    private let host: String

    static let environment = "NOTIFY_SOCKET=/run/notify/notify.sock"

    /// What shows the container's folder for it in the container.
    static func mount(_ folder: ContainerFolder) -> RuntimeSpec.Mount {
        RuntimeSpec.Mount(
            "/run/notify",
            type: "bind",
            source: folder.notifyFolder,
            options: ["bind", "nosuid", "noexec", "nodev", "ro"]
        )
    }

    /// Begins to listen, before the service is started. Nil where the container was created without such a socket.
    static func of(_ folder: ContainerFolder, host: String) throws(SystemError) -> NotifySocket? {
        FileStatus.exists(folder.notifyFolder) ? try NotifySocket(folder, host: host) : nil
    }

    private init(_ folder: ContainerFolder, host: String) throws(SystemError) {
        let path = "\(folder.notifyFolder)/notify.sock"
        try Files.remove(path)
        let socket = FileDescriptor(
            owning: try retrying("listening on", path) { linux_listen(path, Int32(SOCK_DGRAM.rawValue)) }
        )
        // The service may be any user.
        try retrying("changing the mode of", path) { chmod(path, 0o777) }
        self.socket = socket
        self.host = host
    }

    /// Readable when the service says something.
    var polled: pollfd { pollfd(fd: socket.raw, events: Int16(POLLIN), revents: 0) }

    /// Waits until the service is ready or ends.
    ///
    /// - Parameter main: the process that systemd is told of.
    func wait(for process: borrowing FileDescriptor, main: pid_t) throws(SystemError) {
        while true {
            var polls = [polled, pollfd(fd: process.raw, events: Int16(POLLIN), revents: 0)]
            if poll(&polls, 2, -1) < 0, errno != EINTR { throw SystemError("waiting for the service") }
            if polls[0].revents != 0, try handOn(main: main, waits: true) { return }
            if polls[1].revents != 0 { return }
        }
    }

    /// Reads one message, and hands it on if it says that the service is ready: true then.
    ///
    /// - Parameter waits: until systemd has seen it. Who ends at once could be unknown to it by then.
    func handOn(main: pid_t, waits: Bool) throws(SystemError) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = try retrying("reading a notification") {
            recv(socket.raw, &buffer, buffer.count, Int32(MSG_DONTWAIT))
        }
        let lines = buffer[..<count].split(separator: UInt8(ascii: "\n"))
        guard let ready = lines.first(where: { $0.starts(with: "READY=".utf8) }) else { return false }
        let systemd = FileDescriptor(
            owning: try retrying("connecting to", host) { linux_connect(host, Int32(SOCK_DGRAM.rawValue)) }
        )
        try systemd.write(Array(ready) + [UInt8(ascii: "\n")])
        try systemd.write("MAINPID=\(main)\n")
        if waits { try NotifySocket.wait(for: systemd) }
        return true
    }

    /// sd_notify_barrier(3): systemd closes its end of a pipe when it has read all that came before. One that does not know
    /// this is not waited for longer than half a minute.
    private static func wait(for systemd: borrowing FileDescriptor) throws(SystemError) {
        let pipe = try Pipe()
        let ends = [pipe.writing.raw]
        let message = Array("BARRIER=1".utf8)
        try retrying("sending to systemd") {
            message.withUnsafeBytes { linux_send_descriptors(systemd.raw, $0.baseAddress, $0.count, ends, 1) }
        }
        let reading = pipe.keepReading()
        var closed = pollfd(fd: reading.raw, events: Int16(POLLIN), revents: 0)
        _ = poll(&closed, 1, 30_000)
    }
}
