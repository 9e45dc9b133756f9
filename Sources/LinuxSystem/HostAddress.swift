import CLinux

/// The host's own address.
package enum HostAddress {
    /// The first IPv4 address of an interface that is up and not the loopback; nil where there is none.
    package static func primary() -> String? {
        var text = [CChar](repeating: 0, count: 16)
        guard linux_host_address(&text) == 0 else { return nil }
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
