import CLinux
import LinuxSystem
import OCI

/// A server that a test starts, and that ends with this value: it is killed, and a well-behaved one also sees the end of its
/// input.
package final class ServerProcess: Sendable {
    package let pid: pid_t
    private let input: LinuxSystem.FileDescriptor
    private let output: LinuxSystem.FileDescriptor

    /// - Parameter log: where it writes what it says; nil keeps standard output for `line`.
    package init(_ words: [String], environment: [String]? = nil, log: String? = nil) throws {
        let stdin = try Pipe()
        let stdout = try Pipe()
        let null = try LinuxSystem.FileDescriptor.open(log ?? "/dev/null", O_WRONLY | O_CREAT | O_APPEND, mode: 0o644)
        pid = try Subprocess.start(
            words,
            environment: environment,
            descriptors: [stdin.reading.raw, log == nil ? stdout.writing.raw : null.raw, null.raw]
        )
        input = stdin.keepWriting()
        output = stdout.keepReading()
    }

    deinit {
        kill(pid, SIGKILL)
        _ = try? Subprocess.wait(for: pid)
    }

    /// The first line that it prints.
    package func line() throws -> String {
        var bytes: [UInt8] = []
        while true {
            var waiting = pollfd(fd: output.raw, events: Int16(POLLIN), revents: 0)
            guard poll(&waiting, 1, 20_000) > 0 else { throw EngineError(.failed, "the server says nothing") }
            var byte: UInt8 = 0
            guard read(output.raw, &byte, 1) == 1 else { throw EngineError(.failed, "the server has ended") }
            if byte == 0x0A { return String(decoding: bytes, as: UTF8.self) }
            bytes.append(byte)
        }
    }
}

extension ServerProcess {
    /// Ports that are free when they are chosen; another process may take one before a server does.
    package static func freePorts(_ count: Int) throws -> [Int] {
        let script =
            "import socket; s = [socket.socket() for _ in range(\(count))]; [t.bind(('127.0.0.1', 0)) for t in s]; "
            + "print(*[t.getsockname()[1] for t in s])"
        let ports = try tool("python3", "-c", script).split { $0 == " " || $0 == "\n" }.compactMap { Int($0) }
        guard ports.count == count else { throw EngineError(.failed, "no free port") }
        return ports
    }

    /// Waits until something listens on the port, or the server has ended; the result is whether it lives.
    package func listens(on port: Int) -> Bool {
        let digits = String(port, radix: 16, uppercase: true)
        let local = ":" + String(repeating: "0", count: 4 - digits.count) + digits
        _ = eventually(10_000) { ServerProcess.isListened(local) || HostProcesses.hasEnded(pid) }
        return !HostProcesses.hasEnded(pid)
    }

    /// A line of /proc/net/tcp: number, local address, remote address, state (0A: listening).
    private static func isListened(_ local: String) -> Bool {
        ["/proc/net/tcp", "/proc/net/tcp6"].contains { table in
            ((try? Files.readText(table)) ?? "").split(separator: "\n").contains { line in
                let words = line.split(separator: " ", maxSplits: 4)
                return words.count > 3 && words[1].hasSuffix(local) && words[3] == "0A"
            }
        }
    }
}

/// Debian's docker-registry on a loopback port, with a folder of its own.
package final class RegistryServer: Sendable {
    package let folder: String
    package let port: Int
    private let server: ServerProcess

    package var name: String { "127.0.0.1:\(port)" }
    package var log: String { (try? Files.readText("\(folder)/log")) ?? "" }

    /// - Parameters:
    ///   - certificate: PEM files of a certificate and its key, for TLS.
    ///   - passwords: an htpasswd file, for Basic.
    ///   - more: further lines of its configuration.
    ///   - http: further members of its `http`.
    package init(
        certificate: (certificate: String, key: String)? = nil,
        passwords: String? = nil,
        more: String = "",
        http: String = ""
    ) throws {
        folder = try TemporaryFolder.make()
        var configuration =
            "version: 0.1\nlog: {level: info}\nstorage: {filesystem: {rootdirectory: \(folder)/data}, delete: {enabled: true}}\n\(more)"
        if let passwords {
            configuration += "auth: {htpasswd: {realm: here, path: \(passwords)}}\n"
        }
        // The port is free when it is chosen; another process may take it before the server does.
        for _ in 0..<20 {
            let port = try ServerProcess.freePorts(1)[0]
            let tls = certificate.map { ", tls: {certificate: \($0.certificate), key: \($0.key)}" } ?? ""
            let place = "http: {addr: \"127.0.0.1:\(port)\", secret: test\(tls)\(http)}\n"
            try Files.write("\(folder)/config.yml", Array((configuration + place).utf8))
            let server = try ServerProcess(["docker-registry", "serve", "\(folder)/config.yml"], log: "\(folder)/log")
            if server.listens(on: port) {
                self.port = port
                self.server = server
                return
            }
        }
        throw EngineError(.failed, "docker-registry does not start")
    }

    /// Puts a manifest or an index into a repository, as it is in a file.
    package func put(_ file: String, _ type: String, in repository: String, as tag: String) throws {
        let url = "http://\(name)/v2/\(repository)/manifests/\(tag)"
        try tool("curl", "-sf", "-X", "PUT", "-H", "Content-Type: \(type)", "--data-binary", "@\(file)", url)
    }

    deinit { try? Files.removeTree(folder) }
}
