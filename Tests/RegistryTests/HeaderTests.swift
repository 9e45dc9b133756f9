import OCI
import Registry
import Testing

@Suite struct ChallengeTests {
    @Test(arguments: [
        (
            #"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push""#,
            [
                AuthenticationChallenge(
                    scheme: "bearer",
                    parameters: [
                        "realm": "https://auth.docker.io/token", "service": "registry.docker.io",
                        "scope": "repository:a/b:pull,push",
                    ]
                )
            ]
        ),
        // Two challenges in one line; names and schemes in any case.
        (
            #"BASIC Realm="Registry, \"the\" one", Bearer REALM = "r" , service="s""#,
            [
                AuthenticationChallenge(scheme: "basic", parameters: ["realm": #"Registry, "the" one"#]),
                AuthenticationChallenge(scheme: "bearer", parameters: ["realm": "r", "service": "s"]),
            ]
        ),
        ("Negotiate", [AuthenticationChallenge(scheme: "negotiate")]),
        ("Negotiate, Basic", [AuthenticationChallenge(scheme: "negotiate"), AuthenticationChallenge(scheme: "basic")]),
        (
            "Negotiate YWJj==, Basic realm=x",
            [
                AuthenticationChallenge(scheme: "negotiate", token68: "YWJj=="),
                AuthenticationChallenge(scheme: "basic", parameters: ["realm": "x"]),
            ]
        ),
        // Without quotes, as some registries have it.
        (
            "Bearer realm=https://x/token?a=b,service=x:5000",
            [
                AuthenticationChallenge(
                    scheme: "bearer",
                    parameters: ["realm": "https://x/token?a=b", "service": "x:5000"]
                )
            ]
        ),
        // The first of two counts; a string that does not end goes to the end.
        (
            #"Bearer realm="a",realm="b",service="c"#,
            [AuthenticationChallenge(scheme: "bearer", parameters: ["realm": "a", "service": "c"])]
        ),
        (#", ,Basic realm="" ,"#, [AuthenticationChallenge(scheme: "basic", parameters: ["realm": ""])]),
        (#""quoted", Basic"#, [AuthenticationChallenge(scheme: "basic")]), ("", []), (",,,", []), ("=", []),
    ])
    func read(_ value: String, _ challenges: [AuthenticationChallenge]) {
        #expect(AuthenticationChallenge.parse([value]) == challenges)
    }

    @Test func severalLines() {
        #expect(
            AuthenticationChallenge.parse(["Basic realm=a", "", "Bearer realm=b"]).map(\.scheme) == ["basic", "bearer"]
        )
    }

    @Test func bounded() {
        #expect(AuthenticationChallenge.parse([String(repeating: "A, ", count: 100_000)]).count == 32)
        let many = (0..<1000).map { "p\($0)=x" }.joined(separator: ",")
        #expect(AuthenticationChallenge.parse(["Bearer \(many)"]).map(\.parameters.count) == [32])
        // Quotes and backslashes without end take linear time.
        let hostile = String(repeating: #"\"","#, count: 100_000)
        #expect(AuthenticationChallenge.parse(["Bearer a=\"" + hostile]).count <= 32)
    }

    /// Whatever comes, it ends and does not trap, and what was read can be written and read again.
    @Test func anything() {
        var random = Seeded(1)
        for _ in 0..<20_000 {
            let value = random.text(of: [
                "Bearer", "Basic", " ", ",", "=", "\"", "\\", "a", "realm", ";", "\t", "é", "\u{0}",
            ])
            for challenge in AuthenticationChallenge.parse([value]) {
                let parameters = challenge.parameters.sorted { $0.key < $1.key }.map { name, value in
                    "\(name)=\"\(value.map { "\\\($0)" }.joined())\""
                }
                let text =
                    challenge.token68.map { "\(challenge.scheme) \($0)" }
                    ?? "\(challenge.scheme) \(parameters.joined(separator: ", "))"
                if challenge.token68 == nil { #expect(AuthenticationChallenge.parse([text]) == [challenge], "\(text)") }
            }
        }
    }
}

@Suite struct ScopeTests {
    @Test(arguments: [
        ("repository:library/python:pull", "repository", "library/python", ["pull"]),
        ("repository:host:5000/a/b:push,pull,push", "repository", "host:5000/a/b", ["pull", "push"]),
        ("registry:catalog:*", "registry", "catalog", ["*"]), ("repository(plugin):a:", "repository(plugin)", "a", []),
    ])
    func read(_ text: String, _ type: String, _ name: String, _ actions: [String]) throws {
        let scope = try #require(TokenScope(text))
        #expect(scope == TokenScope(type: type, name: name, actions: actions))
        #expect(TokenScope(scope.description) == scope)
    }

    @Test(arguments: ["", ":", "::", "repository", "repository:a", ":a:pull", "repository::pull"])
    func refused(_ text: String) { #expect(TokenScope(text) == nil) }

    @Test func merged() {
        let scopes = TokenScope.parse(
            "repository:b:pull  repository:a:push nonsense repository:a:pull registry:catalog:*"
        )
        #expect(
            scopes.merged.map(\.description) == ["registry:catalog:*", "repository:a:pull,push", "repository:b:pull"]
        )
        #expect(TokenScope.repository("a", .push).covers(.repository("a", .pull)))
        #expect(!TokenScope.repository("a", .pull).covers(.repository("a", .push)))
        #expect(!TokenScope.repository("a", .push).covers(.repository("b", .pull)))
    }
}

@Suite struct LocationTests {
    @Test(arguments: [
        ("https://other.example/x", "https://other.example/x"), ("/y?a=b:c", "http://here.example:5000/y?a=b:c"),
        ("y", "http://here.example:5000/v2/y"), ("?n=1", "http://here.example:5000/v2/x?n=1"),
        ("//other.example/z", "http://other.example/z"), ("./a:b", "http://here.example:5000/v2/./a:b"),
    ]) func isResolved(location: String, url: String) throws {
        #expect(try WebURL("http://here.example:5000/v2/x").resolving(location).description == url)
    }

    /// What has a scheme is no path, whichever scheme it is.
    @Test(arguments: ["file:///etc/passwd", "FTP://x/y", "unix:///run/docker.sock", "javascript:x", "http+unix://x/y"])
    func otherSchemesAreRefused(location: String) throws {
        #expect(throws: EngineError.self) { try WebURL("http://here.example/v2/x").resolving(location) }
    }
}

@Suite struct LinkTests {
    @Test(arguments: [
        (#"</v2/_catalog?n=2&last=b>; rel="next""#, "/v2/_catalog?n=2&last=b"),
        (#"<a>; rel=prev, <b,c>; title="x, <y>; rel=next" ; REL = "first NEXT""#, "b,c"),
        (#"<a>;rel=next;rel=prev"#, "a"), (#"nonsense, <b>; rel="next""#, "b"), (#"<a>, <b>; rel=next"#, "b"),
    ])
    func next(_ value: String, _ target: String) { #expect(LinkHeader.next([value]) == target) }

    @Test(arguments: ["", "<", "<a", "<a>", "<a>; rel", #"<a>; rel="prev""#, "a; rel=next", ";;;", "<a>;;rel;next;"])
    func none(_ value: String) { #expect(LinkHeader.next([value]) == nil) }

    @Test func anything() {
        var random = Seeded(2)
        for _ in 0..<20_000 {
            let value = random.text(of: ["<", ">", "a", ";", "rel", "=", "next", "\"", "\\", ",", " ", "\u{0}"])
            #expect(LinkHeader.parse([value]).count <= 32)
        }
    }
}

@Suite struct RetryAfterTests {
    /// 1994-11-06 08:49:37.
    static let moment: UInt64 = 784_111_777

    @Test(arguments: [
        ("0", 0), (" 120 ", 120), ("99999999999999999999", Int.max), ("Sun, 06 Nov 1994 08:49:37 GMT", 10),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 10), ("Sun Nov  6 08:49:37 1994", 10),
        ("Sun, 06 Nov 1994 08:49:27 GMT", 0), ("Sat, 05 Nov 1994 08:49:37 GMT", 0),
    ])
    func read(_ value: String, _ seconds: Int) {
        #expect(RetryAfter.seconds(value, now: (RetryAfterTests.moment - 10) * 1_000_000_000 + 5) == seconds)
    }

    @Test(arguments: [
        "", "-1", "1.5", "soon", "1 2", "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, 06 Nov 1994 25:49:37 GMT",
        "Sun, 06 Nov 1994 08:49 GMT", "Sun, 06 Nov 1994 08:49:37 CET", "Sun, 40 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 99999999 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37", "Nov 06",
    ])
    func refused(_ value: String) { #expect(RetryAfter.seconds(value, now: 0) == nil) }
}
