import LinuxSystem

/// Where a message bus, or systemd itself, listens: a Unix socket's name.
struct DBusAddress: Equatable, Sendable {
    let path: String
    /// In Linux's abstract namespace (unix(7)) instead of a file's name.
    var isAbstract = false
    /// Whether a bus is behind it, which wants to be greeted and delivers signals on demand. Systemd's own socket is
    /// none.
    var isBus = true

    /// Those of an address list, such as "unix:path=/run/user/1000/bus,guid=0f1e" (D-Bus specification, "Server
    /// Addresses"). Other transports are left out.
    static func list(_ text: String) -> [DBusAddress] {
        text.split(separator: ";").compactMap { address in
            guard address.hasPrefix("unix:") else { return nil }
            for pair in address.dropFirst(5).split(separator: ",") {
                if pair.hasPrefix("path=") { return DBusAddress(path: unescaped(pair.dropFirst(5))) }
                if pair.hasPrefix("abstract=") {
                    return DBusAddress(path: unescaped(pair.dropFirst(9)), isAbstract: true)
                }
            }
            return nil
        }
    }

    /// Systemd's own socket first, which is there without a bus and for its user alone.
    static func systemManager(environment: (String) -> String?) -> [DBusAddress] {
        let bus = environment("DBUS_SYSTEM_BUS_ADDRESS") ?? ""
        return [DBusAddress(path: "/run/systemd/private", isBus: false)]
            + (bus.isEmpty ? [DBusAddress(path: "/run/dbus/system_bus_socket")] : list(bus))
    }

    /// Of the calling user's manager.
    static func userManager(environment: (String) -> String?) -> [DBusAddress] {
        let runtime = environment("XDG_RUNTIME_DIR") ?? ""
        let bus = list(environment("DBUS_SESSION_BUS_ADDRESS") ?? "")
        if runtime.isEmpty { return bus }
        return [DBusAddress(path: "\(runtime)/systemd/private", isBus: false)] + bus
            + [DBusAddress(path: "\(runtime)/bus")]
    }

    /// "%2d" stands for "-".
    private static func unescaped(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            let digits = String(decoding: rest.prefix(2), as: UTF8.self)
            if byte == UInt8(ascii: "%"), digits.count == 2, let value = UInt8(digits, radix: 16) {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
