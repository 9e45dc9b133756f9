import OCI

/// `--add-host name:address` or `name=address`; `host-gateway` stands for the host's address on the container's
/// network.
struct ExtraHost: Sendable, Equatable {
    let name: String
    /// As it was typed, without square brackets.
    let address: String

    init(parsing text: String) throws(ValueError) {
        var (name, value) = text.cut("=")
        if value == nil { (name, value) = text.cut(":") }
        guard var address = value, !name.isEmpty, !name.contains(":") else {
            throw ValueError("bad format for add-host: \(text.goQuoted)")
        }
        if address != "host-gateway" {
            if address.count > 2, address.first == "[", address.last == "]" {
                address = String(address.dropFirst().dropLast())
            }
            guard IPAddress(address.trimmed) != nil else {
                throw ValueError("invalid IP address in add-host: \(address.goQuoted)")
            }
        }
        self.name = name
        self.address = address
    }
}

/// `--dns-search`: "." or a domain name.
enum SearchDomain {
    static func checked(_ text: String) throws(ValueError) -> String {
        let domain = text.trimmed
        if domain == "." { return domain }
        let labels = (domain.hasSuffix(".") ? domain.dropLast() : domain[...])
            .split(separator: ".", omittingEmptySubsequences: false)
        let valid = labels.allSatisfy { label in
            label.first != "-" && label.last != "-" && !label.isEmpty
                && label.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") }
        }
        guard valid, domain.contains(where: { $0.isASCII && $0.isLetter }), domain.utf8.count < 255 else {
            throw ValueError("\(text) is not a valid domain")
        }
        return labels.joined(separator: ".")
    }
}
