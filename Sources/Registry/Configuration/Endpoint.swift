import OCI

/// One place to ask for a repository's content: the registry itself or a mirror of it.
package struct Endpoint: Equatable, Sendable {
    package enum Scheme: String, Sendable { case http, https }

    /// What an endpoint may be used for (containerd, docs/hosts.md).
    package struct Capabilities: OptionSet, Sendable {
        package let rawValue: Int
        package init(rawValue: Int) { self.rawValue = rawValue }
        /// Manifests by digest, and blobs.
        package static let pull = Capabilities(rawValue: 1)
        /// Manifests by tag, and lists of tags.
        package static let resolve = Capabilities(rawValue: 2)
        package static let push = Capabilities(rawValue: 4)
        package static let all: Capabilities = [.pull, .resolve, .push]
    }

    package var scheme: Scheme
    /// A name or an address, an IPv6 address without brackets.
    package var host: String
    /// Nil for the scheme's own.
    package var port: Int?
    /// What stands before `/v2`: "" or "/hub".
    package var pathPrefix = ""
    package var isMirror = false
    /// `pathPrefix` is the whole root of the API: no `/v2` is added to it (hosts.toml, `override_path`).
    package var overridePath = false
    /// The repository's path at this endpoint: "library/python", or what the configuration makes of it.
    package var repository: String
    package var tls = TLSSettings()
    package var headers: [Header] = []
    package var capabilities: Capabilities = .all
    /// The registry's name for the parameter `ns` that tells a mirror of several registries which of them is meant;
    /// nil where none is sent.
    package var namespace: String?
    /// What credentials are looked up under: the registry's name in image references, or the mirror's `host[:port]`.
    package var credentialsKey: String
    /// HTTP without TLS at the place of the endpoint before it. Only for when that one could not be spoken to by TLS
    /// at all (no connection, no handshake); never after an answer by TLS, whatever it said.
    package var isPlainFallback = false

    package struct Header: Hashable, Sendable {
        package let name: String
        package let value: String

        package init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    package init(scheme: Scheme, host: String, port: Int? = nil, repository: String, credentialsKey: String) {
        self.scheme = scheme
        self.host = host
        self.port = port
        self.repository = repository
        self.credentialsKey = credentialsKey
    }
}

extension Endpoint {
    /// `host` or `host:port`, as the Host header has it.
    package var authority: String { HostPort(host: host, port: port).description }

    /// The root of the API, without a slash at its end: `https://registry-1.docker.io/v2`.
    package var root: String { "\(scheme.rawValue)://\(authority)\(pathPrefix)\(overridePath ? "" : "/v2")" }

    /// The URL of something in the repository: `url("manifests/latest")`, with `ns` where the endpoint wants it.
    ///
    /// - Parameter tail: what follows the repository's path; already in the form that a URL has.
    package func url(_ tail: String, query: [(name: String, value: String)] = []) -> String {
        "\(root)/\(repository)/\(tail)" + text(of: query)
    }

    /// The URL of something above the repositories: `apiURL("")` is that of the version check, `…/v2/`.
    package func apiURL(_ tail: String, query: [(name: String, value: String)] = []) -> String {
        "\(root)/\(tail)" + text(of: query)
    }

    private func text(of query: [(name: String, value: String)]) -> String {
        var items = query
        if let namespace { items.append((name: "ns", value: namespace)) }
        if items.isEmpty { return "" }
        return "?"
            + items.map { "\(PercentEncoding.encode($0.name))=\(PercentEncoding.encode($0.value))" }
            .joined(separator: "&")
    }
}

/// How a connection by TLS is made and checked. Files hold PEM; they are read when the connection is made.
package struct TLSSettings: Hashable, Sendable {
    package struct ClientCertificate: Hashable, Sendable {
        package let certificate: String
        /// Where the private key is; the certificate's own file if that holds both.
        package let key: String

        package init(certificate: String, key: String) {
            self.certificate = certificate
            self.key = key
        }
    }

    /// Files with roots to trust, beside the system's.
    package var additionalRoots: [String] = []
    /// Only `additionalRoots` are trusted.
    package var replacesRoots = false
    package var clientCertificates: [ClientCertificate] = []
    /// Neither the certificate's chain nor its name is checked.
    package var skipVerify = false

    package init() {}
}

/// What is asked of a registry.
package enum RegistryOperation: Sendable { case pull, push }
