import CLinux
import LinuxSystem
import OCI

/// A connection to systemd, directly or through a message bus: calls that wait for their answers, and signals.
///
/// Own code for the few calls that a runtime makes; every wait has an end.
struct DBusConnection: ~Copyable {
    private let socket: FileDescriptor
    let isBus: Bool
    private var serial: UInt32 = 0
    private var received: [UInt8] = []
    /// Signals that came while an answer was waited for, the oldest first.
    private var signals: [DBusMessage] = []

    /// Milliseconds that an answer may take.
    private static let patience = 30_000

    enum Answer: Equatable {
        case values([DBusValue])
        /// What the other side refused, by its name: "org.freedesktop.systemd1.UnitExists".
        case error(name: String, message: String)
    }

    /// Connects to the first address that answers.
    static func open(_ addresses: [DBusAddress]) throws(EngineError) -> DBusConnection {
        var failure: EngineError?
        for address in addresses {
            do throws(EngineError) { return try open(address) } catch { failure = failure ?? error }
        }
        throw failure
            ?? EngineError(
                .unsupported,
                "failed to connect to dbus: neither XDG_RUNTIME_DIR nor DBUS_SESSION_BUS_ADDRESS is set",
                hint: "for rootless containers systemd's user session is needed (package dbus-user-session)"
            )
    }

    /// Connects, says who we are, and greets a bus.
    static func open(_ address: DBusAddress) throws(EngineError) -> DBusConnection {
        var connection = try DBusConnection(address)
        try connection.authenticate()
        if address.isBus {
            _ = try connection.values(
                DBusMessage(
                    call: "Hello",
                    of: "org.freedesktop.DBus",
                    at: "/org/freedesktop/DBus",
                    on: "org.freedesktop.DBus"
                )
            )
        }
        return connection
    }

    private init(_ address: DBusAddress) throws(EngineError) {
        do throws(SystemError) {
            self.init(try DBusConnection.connect(address), isBus: address.isBus)
        } catch {
            throw EngineError(.unsupported, "failed to connect to dbus: \(error)")
        }
    }

    private init(_ socket: consuming FileDescriptor, isBus: Bool) {
        self.socket = socket
        self.isBus = isBus
    }

    // MARK: - messages

    /// Makes a call and waits for its answer.
    mutating func call(_ message: DBusMessage) throws(EngineError) -> Answer {
        var message = message
        serial += 1
        message.serial = serial
        try send(message.bytes)
        let deadline = DBusConnection.deadline(DBusConnection.patience)
        while let answer = try next(until: deadline) {
            switch answer.kind {
            case .signal: signals.append(answer)
            case .answer where answer.answers == message.serial: return .values(answer.body)
            case .error where answer.answers == message.serial:
                return .error(name: answer.errorName ?? "", message: answer.body.first?.text ?? "")
            // Who calls us (a bus may ping) does without an answer for the short time that we are here.
            default: continue
            }
        }
        throw EngineError(.failed, "systemd does not answer a call of \(message.member ?? "")")
    }

    /// The same for a call that has no reason to be refused.
    mutating func values(_ message: DBusMessage) throws(EngineError) -> [DBusValue] {
        switch try call(message) {
        case .values(let values): return values
        case .error(let name, let text):
            throw EngineError(.failed, "dbus: \(message.member ?? "") failed: \(text.isEmpty ? name : text)")
        }
    }

    /// Waits for a signal, at most `milliseconds`; nil where it does not come.
    mutating func signal(within milliseconds: Int, where isIt: (DBusMessage) -> Bool) throws(EngineError)
        -> DBusMessage?
    {
        let deadline = DBusConnection.deadline(milliseconds)
        while true {
            if let index = signals.firstIndex(where: isIt) { return signals.remove(at: index) }
            signals = []
            guard let message = try next(until: deadline) else { return nil }
            if message.kind == .signal { signals.append(message) }
        }
    }

    /// The next message of a kind that we know; nil when the time is over.
    private mutating func next(until deadline: UInt64) throws(EngineError) -> DBusMessage? {
        while true {
            while let length = try DBusMessage.length(received), received.count >= length {
                let bytes = Array(received[..<length])
                received.removeFirst(length)
                if let message = try DBusMessage.read(bytes) { return message }
            }
            guard try receive(until: deadline) else { return nil }
        }
    }

    // MARK: - the stream

    private static func connect(_ address: DBusAddress) throws(SystemError) -> FileDescriptor {
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        let bytes = (address.isAbstract ? [0] : []) + Array(address.path.utf8)
        // A file's name ends with a NUL, an abstract one with its length.
        guard bytes.count < MemoryLayout.size(ofValue: name.sun_path) else {
            throw SystemError("connecting to", address.path, code: ENAMETOOLONG)
        }
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: bytes) }
        let size = MemoryLayout<sa_family_t>.size + bytes.count + (address.isAbstract ? 0 : 1)
        let type = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
        let socket = FileDescriptor(owning: try retrying("making a socket") { CLinux.socket(AF_UNIX, type, 0) })
        try retrying("connecting to", address.path) {
            withUnsafePointer(to: &name) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    CLinux.connect(socket.raw, __CONST_SOCKADDR_ARG(__sockaddr__: $0), socklen_t(size))
                }
            }
        }
        return socket
    }

    /// SASL's EXTERNAL without a name: the other side takes who we are from the socket, so that the root of a user
    /// namespace need not know its number outside (D-Bus specification, "Authentication Protocol").
    ///
    /// All of it goes in one piece, as sd-bus sends it. Systemd reads what it gets and then waits for more: a call that
    /// it read together with "BEGIN" would lie there unseen.
    private mutating func authenticate() throws(EngineError) {
        try send([0] + Array("AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n".utf8))
        for expected in ["DATA", "OK"] {
            let line = try line()
            guard line.hasPrefix(expected) else {
                throw EngineError(.unsupported, "failed to connect to dbus: it does not accept this user (\(line))")
            }
        }
    }

    /// A line of the authentication, without its end.
    private mutating func line() throws(EngineError) -> String {
        let deadline = DBusConnection.deadline(DBusConnection.patience)
        while true {
            if let end = received.firstIndex(of: UInt8(ascii: "\n")) {
                let text = String(decoding: received[..<end], as: UTF8.self)
                received.removeFirst(end + 1)
                return String(text.trimmed)
            }
            guard received.count < 16_384, try receive(until: deadline) else {
                throw EngineError(.failed, "failed to connect to dbus: it does not answer")
            }
        }
    }

    private func send(_ bytes: [UInt8]) throws(EngineError) {
        do throws(SystemError) {
            var rest = bytes[...]
            while !rest.isEmpty {
                // A closed socket is an error to report, not a signal to die of.
                let count = try retrying("writing to systemd") {
                    rest.withUnsafeBytes {
                        CLinux.send(socket.raw, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL))
                    }
                }
                rest = rest.dropFirst(count)
            }
        } catch {
            throw EngineError(.failed, "dbus: \(error)")
        }
    }

    /// Adds what has come to `received`; false when the time is over.
    private mutating func receive(until deadline: UInt64) throws(EngineError) -> Bool {
        do throws(SystemError) {
            while true {
                let now = Clock.monotonic
                guard now < deadline else { return false }
                var wait = pollfd(fd: socket.raw, events: Int16(POLLIN), revents: 0)
                let rest = CInt(clamping: (deadline - now) / 1_000_000 + 1)
                let ready = try retrying("waiting for systemd") { poll(&wait, 1, rest) }
                if ready == 0 { continue }
                var buffer = [UInt8](repeating: 0, count: 16_384)
                let count = try retrying("reading from systemd") { read(socket.raw, &buffer, buffer.count) }
                if count == 0 { throw SystemError("reading from systemd", code: ECONNRESET) }
                received += buffer[..<count]
                return true
            }
        } catch {
            throw EngineError(.failed, "dbus: \(error)")
        }
    }

    private static func deadline(_ milliseconds: Int) -> UInt64 {
        Clock.monotonic + UInt64(max(milliseconds, 0)) * 1_000_000
    }
}
