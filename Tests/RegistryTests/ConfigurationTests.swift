import OCI
import Testing

@testable import Registry

/// Configuration files in a folder that stands for /etc, and where they lead.
@Suite struct ConfigurationTests {
    private let etc: Folder

    init() throws { etc = try Folder() }

    private func endpoints(_ name: String, _ operation: RegistryOperation = .pull) throws -> [Endpoint] {
        try RegistryConfiguration.load(environment: [:], home: nil, etc: etc.path)
            .endpoints(for: ImageReference(name), operation)
    }

    /// One line for each endpoint: the URL of a repository, and what is special about it.
    private func shown(_ name: String, _ operation: RegistryOperation = .pull) throws -> [String] {
        try endpoints(name, operation).map { endpoint in
            var text = endpoint.url("x")
            if endpoint.isMirror { text += " mirror" }
            if endpoint.tls.skipVerify { text += " unverified" }
            if endpoint.isPlainFallback { text += " fallback" }
            if !endpoint.capabilities.contains(.resolve) { text += " no-tags" }
            return text
        }
    }

    @Test func nothing() throws {
        #expect(try shown("python") == ["https://registry-1.docker.io/v2/library/python/x"])
        #expect(try endpoints("python")[0].credentialsKey == "docker.io")
        #expect(try shown("quay.io/a/b@sha256:\(String(repeating: "a", count: 64))") == ["https://quay.io/v2/a/b/x"])
        for host in ["localhost", "127.0.0.1:5000", "[::1]:5000"] {
            #expect(
                try shown("\(host)/a") == ["https://\(host)/v2/a/x unverified", "http://\(host)/v2/a/x fallback"]
            )
        }
        #expect(try shown("10.0.0.1:5000/a", .push) == ["https://10.0.0.1:5000/v2/a/x"])
    }

    @Test func ownFile() throws {
        try etc.write(
            "minirun/registries.toml",
            """
            [registry."docker.io"]
            mirrors = ["https://mirror.example", "http://127.0.0.1:5001/hub", "other.example:5000"]

            [[registry."docker.io".mirror]]
            url = "https://digests.example/v2/hub"
            pull = "digest"
            ca = ["a.pem", "/b.pem"]
            only-ca = true
            headers = { X-Team = "a" }

            [registry."other.example:5000"]
            insecure = true

            [registry."docker.io/private"]
            mirrors = []
            location = "internal.example/copy"
            client-certificate = "c.pem"
            client-key = "c.key"
            path-prefix = "registry"

            [registry."*.corp.example"]
            blocked = true
            [registry."good.corp.example"]
            blocked = false
            [registry."127.0.0.1:6000"]
            insecure = false
            """
        )
        #expect(
            try shown("python") == [
                "https://mirror.example/v2/library/python/x?ns=docker.io mirror",
                "http://127.0.0.1:5001/v2/hub/library/python/x?ns=docker.io mirror",
                "https://other.example:5000/v2/library/python/x?ns=docker.io mirror unverified",
                "http://other.example:5000/v2/library/python/x?ns=docker.io mirror fallback",
                "https://digests.example/v2/hub/library/python/x?ns=docker.io mirror no-tags",
                "https://registry-1.docker.io/v2/library/python/x",
            ]
        )
        let digests = try endpoints("python")[4]
        #expect(digests.tls.additionalRoots == ["\(etc.path)/minirun/a.pem", "/b.pem"])
        #expect(digests.tls.replacesRoots)
        #expect(digests.headers == [.init("X-Team", "a")])
        #expect(digests.credentialsKey == "digests.example")
        #expect(try shown("python", .push) == ["https://registry-1.docker.io/v2/library/python/x"])
        #expect(try shown("private/a") == ["https://internal.example/registry/v2/copy/a/x"])
        #expect(try shown("private/a", .push) == ["https://internal.example/registry/v2/copy/a/x"])
        #expect(
            try endpoints("private/a")[0].tls.clientCertificates == [
                .init(certificate: "\(etc.path)/minirun/c.pem", key: "\(etc.path)/minirun/c.key")
            ]
        )
        for operation in [RegistryOperation.pull, .push] {
            let error = try #require(throws: EngineError.self) { try endpoints("a.corp.example/x", operation) }
            #expect(error.message == "registry a.corp.example is blocked in \(etc.path)/minirun/registries.toml")
        }
        #expect(try shown("good.corp.example/x") == ["https://good.corp.example/v2/x/x"])
        #expect(try shown("127.0.0.1:6000/x") == ["https://127.0.0.1:6000/v2/x/x"])
    }

    @Test func mirrorsOnlyAndWildcard() throws {
        try etc.write(
            "minirun/registries.toml",
            """
            [registry."*"]
            mirrors = ["https://cache.example"]
            mirrors-only = true
            [[registry."tags.example".mirror]]
            url = "https://m.example"
            pull = "tag"
            """
        )
        #expect(try shown("quay.io/a") == ["https://cache.example/v2/a/x?ns=quay.io mirror"])
        #expect(try shown("quay.io/a", .push) == ["https://quay.io/v2/a/x"])
        #expect(try shown("tags.example/a").count == 2)
        #expect(
            try shown("tags.example/a@sha256:\(String(repeating: "a", count: 64))") == ["https://tags.example/v2/a/x"]
        )
    }

    @Test(arguments: [
        ("[registry.\"a b\"]", "no registry's name"), ("[registrys.a]", "line 1: unknown key \"registrys\""),
        ("[registry.a]\nmirror = 1", "line 2: \"mirror\" is not an array of tables"),
        ("[registry.a]\nmirrors = [\"ftp://x\"]", "line 2: the mirror \"ftp://x\" is not valid"),
        ("[registry.a]\nblokced = true", "line 2: unknown key \"blokced\""),
        ("[registry.a]\ninsecure = \"yes\"", "line 2: \"insecure\" is not true or false"),
        ("[[registry.a.mirror]]\npull = \"all\"", "\"url\" is missing"),
        ("[registry.a]\nonly-ca = true", "\"only-ca\" needs \"ca\""),
        ("[registry.a]\nheaders = {\"X Y\" = \"1\"}", "a header is not valid"),
        ("[registry.a]\nheaders = {X = \"1\\nY: 2\"}", "a header is not valid"), ("[registry.a", "line 1: "),
        ("[registry.a]\nclient-key = \"k\"", "\"client-key\" needs"), ("[registry.a]\nlocation = \"\"", "\"location\""),
    ])
    func ownFileErrors(_ text: String, _ part: String) throws {
        let file = try etc.write("minirun/registries.toml", text)
        let error = try #require(throws: EngineError.self) { try endpoints("a/b") }
        #expect(error.message.hasPrefix("\(file): "))
        #expect(error.message.contains(part), "\(error.message)")
    }

    @Test func registriesConf() throws {
        try etc.write(
            "containers/registries.conf",
            """
            unqualified-search-registries = ["quay.io"]
            [[registry]]
            location = "docker.io"
            [[registry.mirror]]
            location = "mirror.example/hub/"
            [[registry.mirror]]
            location = "digest.example"
            pull-from-mirror = "digest-only"
            insecure = true
            [[registry]]
            prefix = "example.com/foo"
            location = "internal.example:5000/bar"
            insecure = true
            [[registry]]
            prefix = "*.wild.example"
            blocked = true
            [[registry]]
            location = "insecure.example"
            insecure = true
            """
        )
        try etc.write(
            "containers/registries.conf.d/10.conf",
            """
            [[registry]]
            prefix = "*.wild.example"
            location = "tame.example/wild"
            [aliases]
            "fedora" = "registry.fedoraproject.org/fedora"
            """
        )
        try etc.write("containers/registries.conf.d/ignored.txt", "not toml")
        #expect(
            try shown("python") == [
                "https://mirror.example/v2/hub/library/python/x mirror",
                "https://digest.example/v2/library/python/x mirror unverified no-tags",
                "http://digest.example/v2/library/python/x mirror fallback no-tags",
                "https://registry-1.docker.io/v2/library/python/x",
            ]
        )
        #expect(try endpoints("python").last?.credentialsKey == "docker.io")
        #expect(
            try shown("example.com/foo/img") == [
                "https://internal.example:5000/v2/bar/img/x unverified",
                "http://internal.example:5000/v2/bar/img/x fallback",
            ]
        )
        #expect(try shown("example.com/foo/img", .push).first == "https://example.com/v2/foo/img/x unverified")
        #expect(try shown("example.com/foobar") == ["https://example.com/v2/foobar/x"])
        #expect(try shown("a.wild.example:99/img") == ["https://tame.example/v2/wild/img/x"])
        #expect(try shown("insecure.example/img").count == 2)
        let configuration = try RegistryConfiguration.load(environment: [:], home: nil, etc: etc.path)
        #expect(configuration.containers.aliases == ["fedora": "registry.fedoraproject.org/fedora"])
    }

    @Test func registriesConfOfTheUser() throws {
        try etc.write("containers/registries.conf", "[[registry]]\nlocation = \"a.example\"\nblocked = true")
        let home = try Folder()
        try home.write(".config/containers/registries.conf", "[[registry]]\nlocation = \"b.example\"\nblocked = true")
        let configuration = try RegistryConfiguration.load(environment: [:], home: home.path, etc: etc.path)
        #expect(try configuration.endpoints(for: ImageReference("a.example/x"), .pull).count == 1)
        #expect(throws: EngineError.self) { try configuration.endpoints(for: ImageReference("b.example/x"), .pull) }
    }

    @Test func registriesConfVersion1() throws {
        try etc.write(
            "containers/registries.conf",
            "[registries.insecure]\nregistries = ['i.example']\n[registries.block]\nregistries = ['b.example']"
        )
        #expect(try shown("i.example/x").count == 2)
        #expect(throws: EngineError.self) { try endpoints("b.example/x") }
    }

    @Test(arguments: [
        "[[registry]]", "[[registry]]\nprefix = \"a\"", "[[registry]]\nlocation = \"https://a\"",
        "[[registry]]\nlocation = \"a\"\n[[registry.mirror]]\ninsecure = true", "registry = 1",
        "[[registry]]\nlocation = \"a\"\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = \"m\"\n"
            + "pull-from-mirror = \"all\"", "[[registry]]\nprefix = \"*.a/b\"",
        "[[registry]]\nlocation = \"a\"\n[[registry.mirror]]\nlocation = \"m\"\npull-from-mirror = \"never\"",
    ])
    func registriesConfErrors(_ text: String) throws {
        try etc.write("containers/registries.conf", text)
        #expect(throws: EngineError.self) { try endpoints("a/b") }
    }

    @Test func hostsToml() throws {
        try etc.write(
            "containerd/certs.d/docker.io/hosts.toml",
            """
            server = "https://docker.io"
            [host."https://mirror.example/v2/hub"]
              capabilities = ["pull"]
              ca = "ca.pem"
              client = [["c.cert", "c.key"], "both.pem"]
              override_path = true
              [host."https://mirror.example/v2/hub".header]
                X-A = ["1", "2"]
            [host."http://plain.example:5000"]
              skip_verify = true
            [host."https://pusher.example"]
              capabilities = ["push", "pull", "resolve"]
            """
        )
        #expect(
            try shown("python") == [
                "https://mirror.example/v2/hub/library/python/x?ns=docker.io mirror no-tags",
                "http://plain.example:5000/v2/library/python/x?ns=docker.io mirror unverified",
                "https://pusher.example/v2/library/python/x?ns=docker.io mirror",
                "https://registry-1.docker.io/v2/library/python/x",
            ]
        )
        #expect(
            try shown("python", .push) == [
                "https://pusher.example/v2/library/python/x?ns=docker.io mirror",
                "https://registry-1.docker.io/v2/library/python/x",
            ]
        )
        let first = try endpoints("python")[0]
        let folder = "\(etc.path)/containerd/certs.d/docker.io"
        #expect(first.tls.additionalRoots == ["\(folder)/ca.pem"])
        #expect(
            first.tls.clientCertificates == [
                .init(certificate: "\(folder)/c.cert", key: "\(folder)/c.key"),
                .init(certificate: "\(folder)/both.pem", key: "\(folder)/both.pem"),
            ]
        )
        #expect(first.headers == [.init("X-A", "1"), .init("X-A", "2")])
    }

    @Test func hostsTomlOfAPortAndOfAll() throws {
        try etc.write("containerd/certs.d/h.example_5000_/hosts.toml", "skip_verify = true\ncapabilities = ['push']")
        try etc.write("containerd/certs.d/_default/hosts.toml", "[host.'https://cache.example/v2']")
        #expect(try shown("h.example:5000/a") == ["https://h.example:5000/v2/a/x unverified"])
        #expect(
            try shown("h.example/a") == [
                "https://cache.example/v2/a/x?ns=h.example mirror", "https://h.example/v2/a/x",
            ]
        )
        // A registries.conf that knows the registry comes before the folder for all.
        try etc.write("containers/registries.conf", "[[registry]]\nlocation = 'h.example'")
        #expect(try shown("h.example/a") == ["https://h.example/v2/a/x"])
    }

    @Test func certificates() throws {
        try etc.write("docker/certs.d/h.example:5000/ca.crt", "")
        try etc.write("docker/certs.d/h.example:5000/client.cert", "")
        try etc.write("docker/certs.d/h.example:5000/client.key", "")
        try etc.write("docker/certs.d/h.example:5000/note.txt", "")
        let folder = "\(etc.path)/docker/certs.d/h.example:5000"
        let tls = try endpoints("h.example:5000/a")[0].tls
        #expect(tls.additionalRoots == ["\(folder)/ca.crt"])
        #expect(tls.clientCertificates == [.init(certificate: "\(folder)/client.cert", key: "\(folder)/client.key")])
        #expect(try endpoints("h.example/a")[0].tls == TLSSettings())
        // Podman's folder comes first, and the first that has certificates is the only one.
        try etc.write("containers/certs.d/h.example:5000/own.crt", "")
        #expect(
            try endpoints("h.example:5000/a")[0].tls.additionalRoots
                == ["\(etc.path)/containers/certs.d/h.example:5000/own.crt"]
        )
        try etc.write("containers/certs.d/k.example/lonely.cert", "")
        #expect(throws: EngineError.self) { try endpoints("k.example/a") }
    }

    @Test func daemonJSON() throws {
        try etc.write(
            "docker/daemon.json",
            #"{"registry-mirrors": ["https://m.example/x/", "http://n.example"], "insecure-registries": ["10.0.0.0/8", "http://i.example:5000"], "debug": true}"#
        )
        #expect(
            try shown("python") == [
                "https://m.example/x/v2/library/python/x mirror", "http://n.example/v2/library/python/x mirror",
                "https://registry-1.docker.io/v2/library/python/x",
            ]
        )
        #expect(try shown("quay.io/a") == ["https://quay.io/v2/a/x"])
        #expect(try shown("10.1.1.1:5000/a").count == 2)
        #expect(try shown("i.example:5000/a").count == 2)
        #expect(try shown("i.example/a").count == 1)
        for text in [
            "{", "[]", #"{"registry-mirrors": "x"}"#, #"{"registry-mirrors": ["m.example"]}"#,
            #"{"insecure-registries": ["a b"]}"#,
        ] {
            try etc.write("docker/daemon.json", text)
            #expect(throws: EngineError.self) { try endpoints("python") }
        }
        try etc.write("docker/daemon.json", "\n")
        #expect(try shown("python").count == 1)
    }

    @Test func override() throws {
        try etc.write("minirun/registries.toml", "[registry.\"docker.io\"]\nblocked = true")
        let other = try Folder()
        let file = try other.write("mine.toml", "[registry.\"docker.io\"]\nmirrors = [\"https://m.example\"]")
        func count(_ path: String) throws -> Int {
            try RegistryConfiguration.load(environment: ["MINIRUN_REGISTRIES": path], home: nil, etc: etc.path)
                .endpoints(for: ImageReference("python"), .pull).count
        }
        #expect(try count(file) == 2)
        #expect(try count("/dev/null") == 1)
        #expect(try count(other.path) == 1)
        #expect(throws: EngineError.self) { try count("\(other.path)/missing") }
        #expect(throws: EngineError.self) { try endpoints("python") }
    }

    /// A login goes to the registry, and never with its credentials to a mirror; a token server is one more host.
    @Test func registryItselfAndOtherHosts() throws {
        try etc.write(
            "minirun/registries.toml",
            """
            [registry."*"]
            mirrors = ["https://mirror.example"]
            mirrors-only = true
            [registry."auth.example"]
            ca = "/ca.pem"
            [registry."127.0.0.1:9"]
            insecure = false
            [registry."blocked.example"]
            blocked = true
            """
        )
        let configuration = try RegistryConfiguration.load(environment: [:], home: nil, etc: etc.path)
        func roots(_ server: String) throws -> [String] { try configuration.endpoints(ofRegistry: server).map(\.root) }
        for hub in ["", "docker.io", "https://index.docker.io/v1/"] {
            #expect(try roots(hub) == ["https://registry-1.docker.io/v2"])
        }
        #expect(try roots("https://h.example:5000/v1/") == ["https://h.example:5000/v2"])
        #expect(try roots("localhost:5000") == ["https://localhost:5000/v2", "http://localhost:5000/v2"])
        for server in ["blocked.example", "a b", "h:x"] {
            #expect(throws: EngineError.self) { try roots(server) }
        }
        #expect(try configuration.tls(of: HostPort(host: "auth.example")).additionalRoots == ["/ca.pem"])
        #expect(try configuration.tls(of: HostPort(host: "127.0.0.1", port: 8)).skipVerify)
        #expect(try !configuration.tls(of: HostPort(host: "127.0.0.1", port: 9)).skipVerify)
        #expect(try !configuration.tls(of: HostPort(host: "other.example")).skipVerify)
    }

    @Test func metaHeaders() throws {
        let home = try Folder()
        try home.write(
            ".docker/config.json",
            #"{"HttpHeaders": {"X-Meta-A": "1", "User-Agent": "x", "X-Meta-Bad": "a\nb"}}"#
        )
        let configuration = try RegistryConfiguration.load(environment: [:], home: home.path, etc: etc.path)
        #expect(
            try configuration.endpoints(for: ImageReference("python"), .pull)[0].headers == [.init("X-Meta-A", "1")]
        )
    }

    /// A file of another user's in our way, a pipe in a file's place, a folder, an endless file: one clear error each.
    @Test func hostilePlaces() throws {
        try etc.write("minirun/registries.toml/x", "")
        #expect(throws: EngineError.self) { try endpoints("python") }
        try etc.write("containers/registries.conf", String(repeating: "#", count: 2 << 20))
        #expect(throws: EngineError.self) {
            try ContainersRegistries(systemFolder: "\(etc.path)/containers", userFolder: nil)
        }
    }

    @Test func anything() throws {
        var random = Seeded(4)
        let texts = [
            "[registry.\"docker.io\"]\nmirrors = [\"https://m.example/a\", \"n.example\"]\nca = [\"x\"]\nlocation = \"a/b\"\n",
            "[[registry]]\nprefix = \"docker.io/library\"\nlocation = \"a.example/b\"\ninsecure = true\n[[registry.mirror]]\nlocation = \"m\"\n",
            "server = \"https://a\"\n[host.\"https://m/v2/x\"]\ncapabilities = [\"pull\"]\nclient = [[\"a\", \"b\"]]\n",
            #"{"registry-mirrors": ["https://m.example/x"], "insecure-registries": ["10.0.0.0/8", "i:5000"]}"#,
        ]
        let reference = try ImageReference("python")
        for round in 0..<8000 {
            let bytes = random.damaged(texts[round % 4])
            var configuration = RegistryConfiguration()
            do {
                switch round % 4 {
                case 0: configuration.own = [try RegistriesFile(bytes, file: "f")]
                case 1: try configuration.containers.add(bytes, file: "f")
                case 2: _ = try HostsFile(bytes, file: "f").route(domain: "docker.io", path: "a/b")
                default: configuration.docker = try DockerDaemonFile(bytes, file: "f")
                }
                for endpoint in try configuration.endpoints(for: reference, .pull) {
                    #expect(HostPort(endpoint.authority) != nil)
                    #expect(endpoint.url("x").utf8.allSatisfy { (0x21...0x7E).contains($0) })
                }
            } catch { #expect(!error.message.utf8.contains(0x0A)) }
        }
    }
}
