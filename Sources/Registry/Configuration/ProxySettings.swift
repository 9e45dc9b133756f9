import OCI

/// A proxy for requests.
package struct Proxy: Hashable, Sendable {
    package enum Scheme: String, Sendable { case http, https, socks5, socks5h }

    package let scheme: Scheme
    package let host: String
    package let port: Int
    package let user: String?
    package let password: String?
}

/// The proxies that the environment names, read as Go's programs read it (golang.org/x/net/http/httpproxy).
package struct ProxySettings: Sendable {
    private let http: Proxy?
    private let https: Proxy?
    /// A variable whose value is no proxy: an error only for a request that would use it.
    private let invalid: [Endpoint.Scheme: String]
    private let exceptions: [Exception]

    fileprivate enum Exception: Sendable {
        case everything
        case addresses(AddressRange)
        case address(IPAddress, port: Int?)
        /// `suffix` begins with a dot.
        case domain(suffix: String, itself: Bool, port: Int?)
    }

    package init(environment: [String: String]) {
        func value(_ names: String...) -> String {
            names.lazy.compactMap { environment[$0] }.first { !$0.isEmpty } ?? ""
        }
        let texts: [Endpoint.Scheme: String] = [
            .http: value("HTTP_PROXY", "http_proxy"), .https: value("HTTPS_PROXY", "https_proxy"),
        ]
        http = texts[.http].flatMap(ProxySettings.proxy)
        https = texts[.https].flatMap(ProxySettings.proxy)
        var invalid: [Endpoint.Scheme: String] = [:]
        for (scheme, text) in texts where !text.isEmpty && ProxySettings.proxy(text) == nil {
            invalid[scheme] = "\(scheme.rawValue.uppercased())_PROXY"
        }
        self.invalid = invalid
        exceptions = ProxySettings.exceptions(value("NO_PROXY", "no_proxy"))
    }

    /// The proxy for a request; nil where it goes straight. Loopback always does.
    ///
    /// - Parameter host: a name, or an address without brackets.
    package func proxy(for scheme: Endpoint.Scheme, host: String, port: Int?) throws(EngineError) -> Proxy? {
        let host = host.lowercased()
        let port = port ?? (scheme == .https ? 443 : 80)
        let address = IPAddress(host)
        if host == "localhost" || address?.isLoopback ?? false { return nil }
        if exceptions.contains(where: { $0.matches(host, address, port) }) { return nil }
        if let name = invalid[scheme] {
            // The value may hold a password.
            throw EngineError(.invalid, "the value of \(name) is no proxy's address")
        }
        return scheme == .https ? https : http
    }

    /// `http://user:password@host:port`, or `host:port`.
    private static func proxy(_ text: String) -> Proxy? {
        var rest = text[...]
        var scheme = Proxy.Scheme.http
        if let lead = rest.firstIndex(of: ":"), rest[lead...].hasPrefix("://") {
            guard let named = Proxy.Scheme(rawValue: rest[..<lead].lowercased()) else { return nil }
            scheme = named
            rest = rest[lead...].dropFirst(3)
        }
        rest = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        var user: String?
        var password: String?
        if let at = rest.lastIndex(of: "@") {
            let account = rest[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = PercentEncoding.decode(account[0]) else { return nil }
            user = name
            if account.count == 2 {
                guard let word = PercentEncoding.decode(account[1]) else { return nil }
                password = word
            }
            rest = rest[rest.index(after: at)...]
        }
        guard let place = HostPort(rest) else { return nil }
        let standard: Int =
            switch scheme {
            case .http: 80
            case .https: 443
            case .socks5, .socks5h: 1080
            }
        return Proxy(scheme: scheme, host: place.host, port: place.port ?? standard, user: user, password: password)
    }

    private static func exceptions(_ text: String) -> [Exception] {
        var result: [Exception] = []
        for part in text.split(separator: ",") {
            let entry = part.split(whereSeparator: { $0 == " " || $0 == "\t" }).joined(separator: " ").lowercased()
            if entry == "*" { return [.everything] }
            if let range = AddressRange(entry) {
                result.append(.addresses(range))
            } else if let place = HostPort(entry.hasPrefix("*.") ? entry.dropFirst() : entry[...]) {
                if let address = place.address {
                    result.append(.address(address, port: place.port))
                } else {
                    let isSuffix = place.host.hasPrefix(".")
                    let suffix = isSuffix ? place.host : "." + place.host
                    result.append(.domain(suffix: suffix, itself: !isSuffix, port: place.port))
                }
            }
        }
        return result
    }
}

extension ProxySettings.Exception {
    fileprivate func matches(_ host: String, _ address: IPAddress?, _ port: Int) -> Bool {
        switch self {
        case .everything: return true
        case .addresses(let range): return address.map(range.contains) ?? false
        case .address(let one, let only): return (address?.isSame(as: one) ?? false) && (only ?? port) == port
        case .domain(let suffix, let itself, let only):
            guard address == nil, (only ?? port) == port else { return false }
            return host.hasSuffix(suffix) || itself && host == suffix.dropFirst()
        }
    }
}

extension RegistryConfiguration {
    /// The proxy for a request to an endpoint or to another place that it names (a token server, a redirect).
    package func proxy(for scheme: Endpoint.Scheme, host: String, port: Int? = nil) throws(EngineError) -> Proxy? {
        try proxies.proxy(for: scheme, host: host, port: port)
    }
}
