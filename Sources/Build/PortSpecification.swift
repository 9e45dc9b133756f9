/// A port of `EXPOSE`: `80`, `53/udp`, `8000-8010/tcp`, and the forms with an address or a host's port that docker
/// takes and ignores.
package struct PortSpecification {
    /// `80/tcp`, one for each port of a range.
    package let ports: [String]
    /// What strconv.ParseUint and docker's client say of a port, or a range of ports, that is none; nil for one.
    package static func fault(inRange text: String) -> String? {
        if text.isEmpty { return "empty string specified for ports" }
        let ends = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        for end in ends where number(end) == nil {
            let isNumber = !end.isEmpty && end.utf8.allSatisfy { (0x30...0x39).contains($0) }
            let reason = isNumber ? "value out of range" : "invalid syntax"
            return "strconv.ParseUint: parsing \(GoText.quote(String(end))): \(reason)"
        }
        return range(text) == nil ? "invalid range specified for port: \(text)" : nil
    }

    /// Whether the protocol is not written in lower case.
    let hasUppercaseProtocol: Bool
    /// Whether an address or a host's port is named.
    let namesHost: Bool

    package init(_ text: String) throws(MessageError) {
        var parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        let container = parts.removeLast()
        let host = parts.popLast() ?? ""
        let address = parts.joined(separator: ":")
        let (port, written) = PortSpecification.split(container)
        let name = written.isEmpty ? "tcp" : written.lowercased()
        guard !port.isEmpty else { throw MessageError("invalid port: \(GoText.quote(text)): no port specified") }
        guard ["tcp", "udp", "sctp"].contains(name) else {
            throw MessageError("invalid port: \(GoText.quote(text)): invalid proto: \(written)")
        }
        guard let range = PortSpecification.range(port) else { throw MessageError("invalid containerPort: \(port)") }
        if !host.isEmpty {
            guard let hostRange = PortSpecification.range(host) else { throw MessageError("invalid hostPort: \(host)") }
            if range.count != hostRange.count, range.count > 1 {
                throw MessageError("invalid ranges specified for container and host Ports: \(port) and \(host)")
            }
        }
        ports = range.map { "\($0)/\(name)" }
        hasUppercaseProtocol = written != written.lowercased()
        namesHost = !host.isEmpty || !address.isEmpty
    }

    /// Digits and nothing else, at most 65535.
    private static func number(_ text: Substring) -> UInt16? {
        text.utf8.allSatisfy { (0x30...0x39).contains($0) } ? UInt16(text) : nil
    }

    private static func split(_ text: String) -> (port: String, written: String) {
        guard let slash = text.firstIndex(of: "/") else { return (text, "") }
        return (String(text[..<slash]), String(text[text.index(after: slash)...]))
    }

    private static func range(_ text: String) -> ClosedRange<Int>? {
        let ends = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false).map(number)
        guard let first = ends.first ?? nil, let last = ends.last ?? nil, first <= last else { return nil }
        return Int(first)...Int(last)
    }
}
