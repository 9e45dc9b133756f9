import LinuxSystem
import OCI

/// Systemd's manager object: the calls that a runtime makes (org.freedesktop.systemd1(5)).
struct SystemdManager: ~Copyable {
    private var connection: DBusConnection

    private static let service = "org.freedesktop.systemd1"
    private static let path = "/org/freedesktop/systemd1"
    private static let interface = "org.freedesktop.systemd1.Manager"

    /// Milliseconds that a job may take.
    private static let patience = 30_000

    init(isUser: Bool) throws(EngineError) {
        // As sd_booted(3).
        guard FileStatus.exists("/run/systemd/system") else {
            throw EngineError(.unsupported, "systemd not running on this host, cannot use systemd cgroups manager")
        }
        try self.init(
            isUser
                ? DBusAddress.userManager(environment: Process.environment)
                : DBusAddress.systemManager(environment: Process.environment)
        )
    }

    init(_ addresses: [DBusAddress]) throws(EngineError) {
        connection = try DBusConnection.open(addresses)
    }

    /// Starts a transient unit and waits for the end of its job.
    ///
    /// - Parameter mayExist: whether a unit that is there already is fine.
    mutating func start(_ unit: String, _ properties: SystemdProperties, mayExist: Bool) throws(EngineError) {
        try listen()
        let message = call(
            "StartTransientUnit",
            [.string(unit), .string("replace"), properties.value, .array(of: "(sa(sv))", [])]
        )
        var answer = try connection.call(message)
        if case .error("org.freedesktop.systemd1.UnitExists", _) = answer {
            if mayExist { return }
            // It may be one that failed, and then goes.
            resetFailed(unit)
            answer = try connection.call(message)
        }
        switch answer {
        case .error(let name, let text):
            throw EngineError(.failed, "unable to start unit \"\(unit)\": \(text.isEmpty ? name : text)")
        case .values(let values):
            let result = try end(ofJob: values.first?.text)
            if result == "done" { return }
            resetFailed(unit)
            throw EngineError(
                .failed,
                result.map { "error creating systemd unit `\(unit)`: got `\($0)`" }
                    ?? "Timeout waiting for systemd to create \(unit)"
            )
        }
    }

    mutating func set(_ unit: String, _ properties: SystemdProperties) throws(EngineError) {
        // Until the unit's end: nothing is written to the disk.
        let message = call("SetUnitProperties", [.string(unit), .bool(true), properties.value])
        if case .error(let name, let text) = try connection.call(message) {
            throw EngineError(.failed, "unable to set unit properties: \(text.isEmpty ? name : text)")
        }
    }

    mutating func stop(_ unit: String) throws(EngineError) {
        try listen()
        switch try connection.call(call("StopUnit", [.string(unit), .string("replace")])) {
        case .error("org.freedesktop.systemd1.NoSuchUnit", _): return
        case .error(let name, let text):
            throw EngineError(.failed, "cannot stop the unit \(unit): \(text.isEmpty ? name : text)")
        case .values(let values):
            guard try end(ofJob: values.first?.text) != nil else {
                throw EngineError(.failed, "Timed out while waiting for systemd to remove \(unit)")
            }
        }
        resetFailed(unit)
    }

    /// Best effort: most units have not failed, and systemd refuses then.
    mutating func resetFailed(_ unit: String) {
        _ = try? connection.call(call("ResetFailedUnit", [.string(unit)]))
    }

    /// "252" of "252.39-1~deb12u2".
    mutating func version() throws(EngineError) -> Int {
        let text = try property("Version")
        let digits = text.drop { !("0"..."9").contains($0) }.prefix { ("0"..."9").contains($0) }
        guard let version = Int(digits) else {
            throw EngineError(.corrupt, "\"\(text)\" is no version of systemd's")
        }
        return version
    }

    /// One of the manager's own properties that are texts.
    mutating func property(_ name: String) throws(EngineError) -> String {
        let values = try connection.values(
            DBusMessage(
                call: "Get",
                of: "org.freedesktop.DBus.Properties",
                at: SystemdManager.path,
                on: destination,
                [.string(SystemdManager.interface), .string(name)]
            )
        )
        guard let text = values.first?.text else {
            throw EngineError(.corrupt, "systemd's property \(name) is no text")
        }
        return text
    }

    // MARK: -

    /// Nobody else is at the other end of systemd's own socket.
    private var destination: String? { connection.isBus ? SystemdManager.service : nil }

    private func call(_ member: String, _ body: [DBusValue]) -> DBusMessage {
        DBusMessage(
            call: member,
            of: SystemdManager.interface,
            at: SystemdManager.path,
            on: destination,
            body
        )
    }

    /// A bus delivers signals to those who asked; systemd's own socket delivers all of them. Before the job begins, so
    /// that its end is not missed.
    private mutating func listen() throws(EngineError) {
        guard connection.isBus else { return }
        let rule =
            "type='signal',sender='\(SystemdManager.service)',interface='\(SystemdManager.interface)',"
            + "member='JobRemoved',path='\(SystemdManager.path)'"
        _ = try connection.values(
            DBusMessage(
                call: "AddMatch",
                of: "org.freedesktop.DBus",
                at: "/org/freedesktop/DBus",
                on: "org.freedesktop.DBus",
                [.string(rule)]
            )
        )
    }

    /// How a job ended, "done" or "failed" among others; nil if it does not in time.
    private mutating func end(ofJob job: String?) throws(EngineError) -> String? {
        guard let job else { throw DBusDecoder.malformed }
        // Its number, path, unit and result.
        let removal = try connection.signal(within: SystemdManager.patience) { message in
            message.member == "JobRemoved" && message.body.count == 4 && message.body[1].text == job
        }
        return removal.map { $0.body[3].text ?? "" }
    }
}
