import OCI
import Testing

@testable import Build

@Suite("Plan: mounts") struct MountTests {
    private func mounts(_ flags: String) throws -> [MountStep] {
        let text = "FROM a AS first\nFROM b\nENV V=v\nWORKDIR /w\nRUN \(flags) x"
        return try Planned.steps(text).last?.run?.mounts ?? []
    }

    @Test func readsEachKind() throws {
        let bind = try #require(try mounts("--mount=target=t,source=s").first)
        #expect(bind.source == .context)
        #expect(bind.target == "/w/t")
        #expect(bind.mount.isReadOnly)
        let cache = try #require(
            try mounts("--mount=type=cache,target=/c/../d,sharing=locked,mode=0750,uid=1,gid=2").first
        )
        #expect(cache.source == .empty)
        #expect(!cache.mount.isReadOnly)
        #expect(cache.mount.cacheID == "/d")
        #expect(cache.mount.sharing == .locked)
        #expect([cache.mount.mode, cache.mount.uid, cache.mount.gid] == [0o750, 1, 2])
        let tmpfs = try #require(try mounts("--mount=type=tmpfs,target=/t,size=1.5m").first)
        #expect(tmpfs.mount.size == 1_572_864)
        #expect(try mounts("--mount=type=bind,from=first,target=/m,rw").first?.source == .stage(0))
        #expect(try mounts("--mount=type=bind,from=first,target=/m,rw").first?.mount.isReadOnly == false)
        #expect(try mounts("--mount=type=ssh,required --mount=type=ssh").map(\.mount.isRequired) == [true, false])
    }

    @Test(arguments: [
        ("id=s", "s", "/run/secrets/s"), ("source=d/s", "d/s", "/run/secrets/s"), ("target=/t/x", "x", "/t/x"),
        ("id=s,target=/t", "s", "/t"), ("id=s,env=S", "s", ""), ("id=s,env=S,target=/t", "s", "/t"),
    ]) func secrets(_ fields: String, _ id: String, _ target: String) throws {
        let mount = try #require(try mounts("--mount=type=secret,\(fields)").first)
        #expect(mount.mount.secretID == id)
        #expect(mount.target == target)
    }

    @Test func valuesAreExpandedAndQuoted() throws {
        let mount = try #require(try mounts("--mount=type=cache,target=/$V,\\\"id=a,b\\\"").first)
        #expect(mount.target == "/v")
        #expect(mount.mount.id == "a,b")
    }

    @Test(arguments: [
        ("typ=cache", "unexpected key 'typ' in 'typ=cache' (did you mean type?)"),
        ("target", "invalid field 'target' must be a key=value pair"),
        ("type=cache,target=/c,sharing=all", "unsupported sharing value \"all\""),
        ("type=tmpfs,target=/t,size=x", "invalid value for size: x"),
        ("target=/t,size=1", "unexpected key 'size' for mount type 'bind'"),
        ("target=/t,mode=0755", "mode not allowed for \"bind\" type mounts"),
        ("type=secret", "invalid secret mount. one of source, target required"),
        ("type=secret,id=a,source=b", "both source and id can't be set"),
        ("type=secret,id=a,from=first", "secret mount should not have a from"),
        ("type=tmpfs,target=/t,sharing=shared", "invalid cache sharing set for tmpfs mount"),
        ("type=cache,target=/t,uid=x", "invalid value x for uid"),
        ("target=/t,ro=maybe", "invalid value for ro: maybe"),
        ("type=cache,target=/t,required", "unexpected key 'required' for mount type 'cache'"),
        ("type=ssh,source=x", "ssh does not support source"),
    ]) func refuses(_ fields: String, _ message: String) throws {
        let error = try #require(Planned.error("FROM b AS first\nFROM c\nRUN --mount=\(fields) x"))
        #expect(error.description == message)
    }
}

@Suite("Plan: small texts") struct SmallTextTests {
    @Test(
        arguments: [
            ("755", 0o644, 0o755), ("04755", 0, 0o4755), ("u+x", 0o644, 0o744), ("+x", 0o644, 0o755),
            ("a=r", 0o777, 0o444),
            ("go-w", 0o666, 0o644), ("u=rwX,go=rX", 0o600, 0o644), ("u=rwX,go=rX", 0o700, 0o755), ("g=u", 0o640, 0o660),
            ("o=g,g=", 0o640, 0o604), ("u+s", 0o755, 0o4755), ("+t", 0o755, 0o1755), ("u+r-w", 0o200, 0o400),
        ] as [(String, UInt32, UInt32)]
    ) func modes(_ text: String, _ before: UInt32, _ after: UInt32) throws {
        #expect(try ModeChange(text).apply(to: before, isDirectory: false) == after)
    }

    @Test func foldersGetX() throws {
        #expect(try ModeChange("a+X").apply(to: 0o644, isDirectory: true) == 0o755)
        #expect(try ModeChange("g=rx").apply(to: 0o2775, isDirectory: true) == 0o2755)
    }

    @Test(arguments: ["8", "10000", "x", "u", "u+q", "", "u+r,"]) func badModes(_ text: String) {
        #expect(throws: MessageError.self) { try ModeChange(text) }
    }

    @Test(arguments: [
        ("80", ["80/tcp"]), ("80/UDP", ["80/udp"]), ("1-3/sctp", ["1/sctp", "2/sctp", "3/sctp"]),
        ("8080:80", ["80/tcp"]),
        ("127.0.0.1:8080:80/tcp", ["80/tcp"]), ("[::1]:8080:80", ["80/tcp"]), ("7-7", ["7/tcp"]), ("80/", ["80/tcp"]),
    ]) func ports(_ text: String, _ expected: [String]) throws {
        #expect(try PortSpecification(text).ports == expected)
    }

    @Test(arguments: ["", "/tcp", "a", "3-1", "65536", "80/x", "1-2:3-5", "-1"]) func badPorts(_ text: String) {
        #expect(throws: MessageError.self) { try PortSpecification(text) }
    }

    @Test(
        arguments: [
            ("0", 0, "0s"), ("1h30m", 5_400_000_000_000, "1h30m0s"), ("1.5s", 1_500_000_000, "1.5s"),
            ("250ms", 250_000_000, "250ms"),
            ("1µs", 1_000, "1µs"), ("7ns", 7, "7ns"), ("90s", 90_000_000_000, "1m30s"), ("-5s", -5_000_000_000, "-5s"),
            (".5m", 30_000_000_000, "30s"),
        ] as [(String, Int64, String)]
    ) func durations(_ text: String, _ nanoseconds: Int64, _ shown: String) {
        #expect(GoText.nanoseconds(text) == nanoseconds)
        #expect(GoText.duration(nanoseconds) == shown)
    }

    @Test(arguments: ["", "5", "s", "1x", "1.2.3s", "1 s"]) func badDurations(_ text: String) {
        #expect(GoText.nanoseconds(text) == nil)
    }

    @Test func quotesAsGo() {
        #expect(
            GoText.quote("a\"b\\\n\u{1}é\u{200B}\u{10FF00}\u{10FFFF}")
                == "\"a\\\"b\\\\\\n\\x01é\\u200b\\U0010ff00\\xff\""
        )
    }
}
