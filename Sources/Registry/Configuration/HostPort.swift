import OCI

/// A registry's host as names and configuration files write it: `host`, `host:port`, `[::1]:port`.
package struct HostPort: Hashable, Sendable, CustomStringConvertible {
    /// In lower case, an IPv6 address without its brackets.
    package let host: String
    package let port: Int?

    package init(host: String, port: Int? = nil) {
        self.host = host.lowercased()
        self.port = port
    }

    /// Nil where the text is none: an empty host, a port that is no number up to 65535, a byte that no host name has.
    package init?(_ text: some StringProtocol) {
        var host = Substring(text)
        var port: Int?
        if host.hasPrefix("[") {
            guard let end = host.lastIndex(of: "]") else { return nil }
            let rest = host[host.index(after: end)...]
            host = host[host.index(after: host.startIndex)..<end]
            guard let address = IPAddress(String(host)), address.isVersion6 else { return nil }
            if !rest.isEmpty {
                guard rest.hasPrefix(":"), let number = HostPort.port(rest.dropFirst()) else { return nil }
                port = number
            }
        } else if host.utf8.count(where: { $0 == UInt8(ascii: ":") }) > 1 {
            // An IPv6 address that stands alone needs no brackets.
            guard IPAddress(String(host)) != nil else { return nil }
        } else {
            if let colon = host.lastIndex(of: ":") {
                guard let number = HostPort.port(host[host.index(after: colon)...]) else { return nil }
                port = number
                host = host[..<colon]
            }
            guard !host.isEmpty, host.utf8.allSatisfy(HostPort.isHostByte) else { return nil }
        }
        self.init(host: String(host), port: port)
    }

    private static func port(_ text: Substring) -> Int? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = UInt16(text) else {
            return nil
        }
        return number == 0 ? nil : Int(number)
    }

    private static func isHostByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"): true
        default: false
        }
    }

    package var description: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return port.map { "\(name):\($0)" } ?? name
    }

    /// The host as an address, where it is one.
    package var address: IPAddress? { IPAddress(host) }

    /// `localhost`, 127.0.0.0/8 or ::1. Other names are not looked up: what a name server says is no reason to trust.
    package var isLoopback: Bool { host == "localhost" || (address?.isLoopback ?? false) }
}

extension IPAddress {
    /// 127.0.0.0/8, also written as an IPv6 address, or ::1.
    package var isLoopback: Bool {
        if let four = version4 { return four[0] == 127 }
        return bytes.dropLast().allSatisfy { $0 == 0 } && bytes.last == 1
    }

    /// The four bytes of an IPv4 address, however it is written (`::ffff:127.0.0.1`).
    package var version4: [UInt8]? {
        if bytes.count == 4 { return bytes }
        let mapped = bytes.prefix(10).allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
        return mapped ? Array(bytes[12...]) : nil
    }

    /// The same address, whichever way it is written.
    package func isSame(as other: IPAddress) -> Bool { (version4 ?? bytes) == (other.version4 ?? other.bytes) }
}

/// A range of addresses, `10.0.0.0/8` or `fd00::/8` (RFC 4632, RFC 4291).
package struct AddressRange: Hashable, Sendable {
    private let bytes: [UInt8]
    private let length: Int

    package init?(_ text: some StringProtocol) {
        guard let slash = text.firstIndex(of: "/"), let address = IPAddress(String(text[..<slash])) else { return nil }
        let digits = text[text.index(after: slash)...]
        guard (1...3).contains(digits.utf8.count), digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let length = Int(digits), length <= address.bytes.count * 8
        else { return nil }
        bytes = address.bytes
        self.length = length
    }

    package func contains(_ address: IPAddress) -> Bool {
        let other = bytes.count == 4 ? address.version4 ?? address.bytes : address.bytes
        guard other.count == bytes.count else { return false }
        let whole = length / 8
        guard other[..<whole] == bytes[..<whole] else { return false }
        let rest = length % 8
        return rest == 0 || (other[whole] ^ bytes[whole]) >> (8 - rest) == 0
    }
}
