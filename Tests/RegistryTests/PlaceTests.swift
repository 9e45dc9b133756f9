import OCI
import Testing

@testable import Registry

@Suite struct PlaceTests {
    @Test(
        arguments: [
            ("docker.io", "docker.io", nil), ("Host:5000", "host", 5000), ("127.0.0.1:80", "127.0.0.1", 80),
            ("[::1]:5000", "::1", 5000), ("[::1]", "::1", nil), ("::1", "::1", nil), ("a_b-c", "a_b-c", nil),
        ] as [(String, String, Int?)]
    )
    func hosts(_ text: String, _ host: String, _ port: Int?) throws {
        let place = try #require(HostPort(text))
        #expect(place.host == host)
        #expect(place.port == port)
        #expect(HostPort(place.description) == place)
    }

    @Test(arguments: [
        "", ":1", "a:", "a:0", "a:65536", "a:-1", "a b", "a/b", "[::1", "[x]:1", "a:b:c", "a@b", "é", "[::1]5",
    ])
    func notHosts(_ text: String) { #expect(HostPort(text) == nil) }

    @Test(arguments: [
        ("localhost", true), ("127.0.0.1", true), ("127.255.0.3:5000", true), ("[::1]:1", true),
        ("::ffff:127.0.0.1", true),
        ("localhost.example.com", false), ("128.0.0.1", false), ("::2", false), ("127.0.0.1.example", false),
    ])
    func loopback(_ text: String, _ isLoopback: Bool) throws {
        #expect(try #require(HostPort(text)).isLoopback == isLoopback)
    }

    @Test(arguments: [
        ("10.0.0.0/8", "10.1.2.3", true), ("10.0.0.0/8", "11.0.0.1", false), ("10.1.0.0/15", "10.0.255.1", true),
        ("0.0.0.0/0", "1.2.3.4", true), ("1.2.3.4/32", "1.2.3.5", false), ("fd00::/8", "fdff::1", true),
        ("fd00::/8", "fe00::1", false), ("10.0.0.0/8", "::ffff:10.0.0.1", true), ("::/0", "10.0.0.1", false),
    ])
    func ranges(_ range: String, _ address: String, _ isIn: Bool) throws {
        #expect(try #require(AddressRange(range)).contains(#require(IPAddress(address))) == isIn)
    }

    @Test(arguments: ["10.0.0.0", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "::/129", "x/8", "/8", "10.0.0.0/0008"])
    func notRanges(_ text: String) { #expect(AddressRange(text) == nil) }

    @Test(
        arguments: [
            ("https://h", "https", "h", nil, ""), ("HTTP://h:1/", "http", "h", 1, ""),
            ("https://[::1]:2/a//b/./", "https", "::1", 2, "/a/b"),
        ] as [(String, String, String, Int?, String)]
    )
    func urls(_ text: String, _ scheme: String, _ host: String, _ port: Int?, _ path: String) throws {
        let url = try EndpointURL(text)
        #expect(url.scheme.rawValue == scheme)
        #expect(url.place == HostPort(host: host, port: port))
        #expect(url.path == path)
    }

    @Test(arguments: [
        "h", "ftp://h", "https://", "https://h?x", "https://h#x", "https://u:p@h", "https://h/../x", "https://h/a b",
        "https://h/\r\nX: y", "https://h:99999", "://h",
    ])
    func notURLs(_ text: String) { #expect(throws: EndpointURL.Invalid.self) { try EndpointURL(text) } }

    @Test func endpointURLs() {
        var endpoint = Endpoint(scheme: .https, host: "::1", port: 5000, repository: "a/b", credentialsKey: "x")
        #expect(endpoint.url("tags/list", query: [("n", "1 0&")]) == "https://[::1]:5000/v2/a/b/tags/list?n=1%200%26")
        endpoint.namespace = "docker.io"
        endpoint.pathPrefix = "/root"
        #expect(endpoint.apiURL("") == "https://[::1]:5000/root/v2/?ns=docker.io")
        endpoint.overridePath = true
        #expect(endpoint.root == "https://[::1]:5000/root")
    }

    @Test(
        arguments: [
            ("docker.io", "docker.io", "library/a", 9), ("docker.io/library", "docker.io", "library/a", 17),
            ("docker.io/lib", "docker.io", "library/a", nil), ("*", "x", "y", 1),
            ("*.example.com", "a.example.com:5000", "y", 18),
            ("*.example.com", "example.com", "y", nil), ("h", "h:5000", "y", nil), ("h:5000", "h:5000", "y", 6),
            ("index.docker.io", "docker.io", "a/b", 9), ("h/", "h", "a", 1),
        ] as [(String, String, String, Int?)]
    )
    func patterns(_ pattern: String, _ domain: String, _ path: String, _ match: Int?) {
        #expect(RegistryPattern(pattern).match(domain: domain, path: path) == match)
    }
}

@Suite struct ProxyTests {
    /// golang.org/x/net/http/httpproxy's rules: what NO_PROXY says, the host, the port, and whether the proxy is used.
    @Test(
        arguments: [
            ("", "example.com", nil, true), ("", "localhost", nil, false), ("", "127.1.2.3", nil, false),
            ("", "::1", nil, false),
            ("*", "example.com", nil, false), ("example.com", "example.com", nil, false),
            ("example.com", "a.Example.com", nil, false), ("example.com", "badexample.com", nil, true),
            (".example.com", "example.com", nil, true), (".example.com", "a.example.com", nil, false),
            ("*.example.com", "a.b.example.com", nil, false), ("*.example.com", "example.com", nil, true),
            ("example.com:8443", "example.com", 8443, false), ("example.com:8443", "example.com", nil, true),
            ("example.com:443", "example.com", nil, false), ("10.0.0.0/8", "10.1.1.1", nil, false),
            ("10.0.0.0/8", "11.1.1.1", nil, true), ("10.1.1.1", "10.1.1.1", 99, false),
            ("10.1.1.1:98", "10.1.1.1", 99, true),
            ("[fd00::1]:98", "fd00::1", 98, false), ("fd00::/8", "fd00::1", nil, false),
            (" a , b.c ,,", "b.c", nil, false),
            ("1.1", "10.1.1.1", nil, true), ("com", "example.com", nil, false), (":80", "example.com", 80, true),
        ] as [(String, String, Int?, Bool)]
    )
    func exceptions(_ text: String, _ host: String, _ port: Int?, _ isUsed: Bool) throws {
        let settings = ProxySettings(environment: ["HTTPS_PROXY": "p:1", "NO_PROXY": text])
        #expect((try settings.proxy(for: .https, host: host, port: port) != nil) == isUsed)
    }

    @Test(arguments: [
        ("proxy", Proxy(scheme: .http, host: "proxy", port: 80, user: nil, password: nil)),
        (
            "http://u%40x:p%3Aw@proxy:3128/",
            Proxy(scheme: .http, host: "proxy", port: 3128, user: "u@x", password: "p:w")
        ),
        ("https://[::2]", Proxy(scheme: .https, host: "::2", port: 443, user: nil, password: nil)),
        ("socks5://a", Proxy(scheme: .socks5, host: "a", port: 1080, user: nil, password: nil)),
        ("http://u@p", Proxy(scheme: .http, host: "p", port: 80, user: "u", password: nil)),
    ])
    func values(_ text: String, _ proxy: Proxy) throws {
        // The upper-case name wins; each scheme has its own.
        let settings = ProxySettings(environment: ["http_proxy": "other", "HTTP_PROXY": text])
        #expect(try settings.proxy(for: .http, host: "example.com", port: nil) == proxy)
        #expect(try settings.proxy(for: .https, host: "example.com", port: nil) == nil)
    }

    @Test func lowerCase() throws {
        let settings = ProxySettings(environment: ["https_proxy": "p:1", "no_proxy": "b", "HTTPS_PROXY": ""])
        #expect(try settings.proxy(for: .https, host: "a", port: nil)?.port == 1)
        #expect(try settings.proxy(for: .https, host: "b", port: nil) == nil)
    }

    /// An error where it would be used, without the password that may be in it.
    @Test(arguments: ["ftp://x", "http://u:secret@", "http://u:secret%zz@p", "a b secret"])
    func invalid(_ text: String) throws {
        let settings = ProxySettings(environment: ["HTTPS_PROXY": text])
        #expect(try settings.proxy(for: .https, host: "localhost", port: nil) == nil)
        let error = try #require(throws: EngineError.self) {
            try settings.proxy(for: .https, host: "example.com", port: nil)
        }
        #expect(!error.message.contains("secret"))
    }
}
