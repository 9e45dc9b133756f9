import CLinux
import LinuxSystem
import OCI

/// What a caller gets over a Unix socket that it listens on: one descriptor and a few bytes beside it.
enum CallerSocket {
    /// `--console-socket` and `--pidfd-socket`. The caller takes the bytes for a name and nothing else.
    static func hand(_ descriptor: borrowing FileDescriptor, named name: String, to path: String) throws(SystemError) {
        let socket = FileDescriptor(
            owning: try retrying("connecting to", path) { linux_connect(path, Int32(SOCK_STREAM.rawValue)) }
        )
        try send(descriptor, Array(name.utf8), over: socket, path)
    }

    fileprivate static func send(
        _ descriptor: borrowing FileDescriptor,
        _ bytes: [UInt8],
        over socket: borrowing FileDescriptor,
        _ path: String
    ) throws(SystemError) {
        let all = [descriptor.raw]
        try retrying("sending to", path) {
            bytes.withUnsafeBytes { linux_send_descriptors(socket.raw, $0.baseAddress, $0.count, all, 1) }
        }
    }
}

/// The agent that answers a seccomp filter's questions (config-linux.md#containerprocessstate).
enum SeccompAgent {
    /// Connects to `listenerPath` and hands on the filter's descriptor with the state of the process that it is for.
    static func hand(
        _ listener: borrowing FileDescriptor,
        of pid: pid_t,
        _ state: JSON,
        _ configuration: SeccompConfiguration
    ) throws(EngineError) {
        guard let path = configuration.listenerPath else {
            throw EngineError(.invalid, "invalid seccomp profile: SCMP_ACT_NOTIFY without \"listenerPath\"")
        }
        var members: [(key: String, value: JSON)] = [
            ("ociVersion", state["ociVersion"] ?? .string(RuntimeSpec.version)), ("fds", ["seccompFd"]),
            ("pid", .number(pid)),
        ]
        if let metadata = configuration.listenerMetadata { members.append(("metadata", .string(metadata))) }
        members.append(("state", state))
        do throws(SystemError) {
            let socket = FileDescriptor(
                owning: try retrying("connecting to", path) { linux_connect(path, Int32(SOCK_STREAM.rawValue)) }
            )
            try CallerSocket.send(listener, JSON.object(members).bytes(), over: socket, path)
        } catch {
            throw EngineError(
                .failed,
                "failed to connect with seccomp agent specified in the seccomp profile: \(error)"
            )
        }
    }
}
