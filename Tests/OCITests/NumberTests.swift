import OCI
import Testing

/// Numbers and times at and beyond the ends of what holds them: there is a value or an error, and never a trap.
@Suite struct NumberTests {
    static let numbers = [
        "-1", "0", "1", "2147483647", "2147483648", "4294967295", "4294967296", "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808", "-9223372036854775809", "18446744073709551615", "18446744073709551616", "1e400",
        "-1e400",
        "1.5", "0.0000001", #""nan""#, #""inf""#, #""""#, "null",
    ]

    static let digest = "sha256:" + String(repeating: "a", count: 64)

    @Test(
        "times of images, whatever year they have",
        arguments: [
            ("2024-02-29T12:00:00.5Z", 1_709_208_000_500_000_000), ("1970-01-01T00:00:00Z", 0),
            ("2554-07-21T23:34:33.709551615Z", .max), ("2554-07-21T23:34:34Z", .max), ("9999-12-31T23:59:59Z", .max),
            ("9999-12-31T23:59:59.999999999-23:59", .max), ("9999-99-31T00:00:00Z", nil), ("0000-01-01T00:00:00Z", nil),
            ("1969-12-31T23:59:59Z", nil), ("+999-01-01T00:00:00Z", nil), ("2024-02-29T12:00:00.5", nil), ("", nil),
            ("2024-02-29T12:00:00.99999999999999999999999999Z", 1_709_208_000_999_999_999),
        ] as [(String, UInt64?)]
    )
    func times(_ text: String, _ nanoseconds: UInt64?) {
        #expect(Timestamp.nanoseconds(rfc3339: text) == nanoseconds)
    }

    @Test func secondsAreShownUpToTheYear9999() {
        #expect(Timestamp.rfc3339(seconds: .min) == "1970-01-01T00:00:00Z")
        #expect(Timestamp.rfc3339(seconds: 18_446_744_074) == "2554-07-21T23:34:34Z")
        #expect(Timestamp.rfc3339(seconds: Timestamp.lastSecond) == "9999-12-31T23:59:59Z")
        #expect(Timestamp.rfc3339(seconds: .max) == "9999-12-31T23:59:59Z")
        #expect(Timestamp.rfc3339(nanoseconds: .max) == "2554-07-21T23:34:33.709551615Z")
        #expect(Timestamp.nanoseconds(seconds: .max, nanoseconds: .max) == .max)
        #expect(Timestamp.nanoseconds(seconds: .min, nanoseconds: 0) == 0)
    }

    @Test(arguments: numbers) func imageDocuments(_ number: String) throws {
        let descriptor = #"{"mediaType":"x/y","digest":"\#(Self.digest)","size":\#(number)}"#
        for text in [
            #"{"schemaVersion":\#(number),"config":\#(descriptor),"layers":[]}"#,
            #"{"schemaVersion":2,"config":\#(descriptor),"layers":[\#(descriptor),\#(descriptor)]}"#,
        ] {
            if let manifest = try? ImageManifest(JSON.parse(Array(text.utf8))) {
                // Sums of sizes are made in many places.
                var sum = manifest.configuration.size
                for _ in 0..<1000 { for layer in manifest.layers { sum += layer.size } }
                #expect(try ImageManifest(JSON.parse(Array(manifest.json.text().utf8))) == manifest)
            }
        }
        if let index = try? ImageIndex(JSON.parse(Array(#"{"manifests":[\#(descriptor)]}"#.utf8))) {
            #expect(try ImageIndex(JSON.parse(Array(index.json.text().utf8))) == index)
        }
        let configuration = #"""
            {"created":\#(number),"history":[{"created":\#(number),"empty_layer":\#(number)}],
            "config":{"Healthcheck":{"Test":["NONE"],"Interval":\#(number),"Timeout":\#(number),"Retries":\#(number),
            "StartPeriod":\#(number),"StartInterval":\#(number)},"Env":\#(number),"User":\#(number)},
            "rootfs":{"diff_ids":[]}}
            """#
        let image = try ImageConfiguration(JSON.parse(Array(configuration.utf8)))
        _ = image.json.text(pretty: true)
    }

    @Test(
        "a value that no enumeration has is an error, never \"off\" (GHSA-7236-3392-c5c6)",
        arguments: [
            #"{"linux":{"namespaces":[{"type":"X"}]}}"#, #"{"linux":{"rootfsPropagation":"X"}}"#,
            #"{"linux":{"personality":{"domain":"X"}}}"#, #"{"linux":{"seccomp":{"defaultAction":"X"}}}"#,
            #"{"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ERRNO","flags":["X"]}}}"#,
            #"{"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ERRNO","architectures":["X"]}}}"#,
            #"{"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["a"],"action":"X"}]}}}"#,
            #"{"linux":{"seccomp":{"defaultAction":0}}}"#,
            #"{"linux":{"devices":[{"path":"/dev/x","type":"X","major":1,"minor":1}]}}"#,
            #"{"linux":{"resources":{"devices":[{"allow":true,"type":"X"}]}}}"#,
            #"{"linux":{"resources":{"devices":[{"allow":true,"access":"X"}]}}}"#,
            #"{"linux":{"timeOffsets":{"X":{"secs":1}},"namespaces":[{"type":"time"}]}}"#,
            #"{"linux":{"memoryPolicy":{"mode":"X","nodes":"0"}}}"#,
            #"{"process":{"scheduler":{"policy":"X"}}}"#,
            #"{"process":{"scheduler":{"policy":"SCHED_OTHER","flags":["X"]}}}"#,
            #"{"process":{"ioPriority":{"class":"X"}}}"#, #"{"process":{"noNewPrivileges":"yes"}}"#,
            #"{"process":{"noNewPrivileges":1}}"#, #"{"root":{"path":"r","readonly":"true"}}"#,
        ]
    )
    func unknownValues(_ patch: String) {
        #expect(throws: EngineError.self) {
            let spec = try GivenSpec.read(patch)
            try spec.validate()
        }
    }

    @Test(
        "an id that setresuid takes for \"as it is\" is nobody's (CVE-2024-40635)",
        arguments: [
            "2147483648", "4294967294", "4294967295", "4294967296", "-1", "18446744073709551615", "1e400", #""0""#,
        ]
    )
    func ids(_ number: String) {
        for member in [#""uid":\#(number)"#, #""gid":\#(number)"#, #""additionalGids":[1,\#(number)]"#] {
            #expect(throws: EngineError.self, "\(member)") {
                try GivenSpec.read(#"{"process":{"user":{\#(member)}}}"#).validate()
            }
        }
        #expect(throws: Never.self) {
            try GivenSpec.read(#"{"process":{"user":{"uid":2147483647,"gid":2147483647}}}"#).validate()
        }
    }
}
