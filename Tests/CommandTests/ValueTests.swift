import OCI
import Runner
import Testing

@testable import minirun

/// The message of the error that `body` throws, or nil.
func message<T>(_ body: () throws(ValueError) -> T) -> String? {
    do throws(ValueError) {
        _ = try body()
        return nil
    } catch {
        return error.message
    }
}

@Suite struct ValueTests {
    @Test(arguments: [
        ("0", 0), ("32", 32), ("32b", 32), ("1k", 1024), ("1K", 1024), ("1kb", 1024), ("1kib", 1024), ("1KiB", 1024),
        ("512m", 512 << 20), ("1g", 1 << 30), ("1.5g", 3 << 29), ("2t", 2 << 40), ("1p", 1 << 50), ("64 mb", 64 << 20),
        (".5k", 512), ("1e3", 1000), ("100.", 100),
    ]) func sizes(_ text: String, _ bytes: Int) throws { #expect(try Sizes.bytes(text) == Int64(bytes)) }

    @Test(arguments: [
        ("", "invalid size: ''"), ("-1", "invalid size: '-1'"), ("k", "invalid size: 'k'"),
        ("1x", "invalid suffix: 'x'"), ("1kk", "invalid suffix: 'kk'"), ("1bb", "invalid suffix: 'bb'"),
        ("1KIBB", "invalid suffix: 'KIBB'"), ("1.2.3", "strconv.ParseFloat: parsing \"1.2.3\": invalid syntax"),
        ("99999999999999999999", "invalid size: '99999999999999999999'"), ("nan ", "invalid size: 'nan '"),
        ("NaN k", "invalid size: 'NaN k'"), ("inf ", "invalid size: 'inf '"), ("-nan ", "invalid size: '-nan '"),
        ("1e400", "invalid size: '1e400'"), ("9223372036854775808", "invalid size: '9223372036854775808'"),
        ("8192p", "invalid size: '8192p'"),
    ]) func badSizes(_ text: String, _ error: String) {
        #expect(message { () throws(ValueError) in try Sizes.bytes(text) } == error)
    }

    @Test(arguments: [
        ("0", 0), ("1s", 1_000_000_000), ("1m30s", 90_000_000_000), ("1.5h", 5_400_000_000_000), ("300ms", 300_000_000),
        ("-2s", -2_000_000_000), ("1h2m3s4ms5us6ns", 3_723_004_005_006), (".5s", 500_000_000), ("2µs", 2000),
    ]) func durations(_ text: String, _ nanoseconds: Int) throws {
        #expect(try Durations.nanoseconds(text) == Int64(nanoseconds))
    }

    @Test(arguments: [
        ("", "time: invalid duration \"\""), ("5", "time: missing unit in duration \"5\""),
        ("5x", "time: unknown unit \"x\" in duration \"5x\""), ("s", "time: invalid duration \"s\""),
        (".s", "time: invalid duration \".s\""), ("99999999h", "time: invalid duration \"99999999h\""),
    ]) func badDurations(_ text: String, _ error: String) {
        #expect(message { () throws(ValueError) in try Durations.nanoseconds(text) } == error)
    }

    @Test(arguments: [
        ("1", 1_000_000_000), ("1.5", 1_500_000_000), ("0.000000001", 1), ("3/2", 1_500_000_000), ("5e-1", 500_000_000),
        ("2.", 2_000_000_000), (".5", 500_000_000), ("0", 0), ("1.10", 1_100_000_000),
    ]) func cpus(_ text: String, _ nano: Int) throws { #expect(try CPUCount.nano(text) == Int64(nano)) }

    @Test(arguments: [
        ("x", "failed to parse x as a rational number"), ("1/0", "failed to parse 1/0 as a rational number"),
        ("", "failed to parse  as a rational number"), ("1.0000000001", "value is too precise"),
        ("1/3", "value is too precise"),
    ]) func badCPUs(_ text: String, _ error: String) {
        #expect(message { () throws(ValueError) in try CPUCount.nano(text) } == error)
    }

    @Test(arguments: [
        ("10", 10), ("-5", -5), ("+7", 7), ("0x1f", 31), ("010", 8), ("0b11", 3), ("1_000", 1000),
        ("-9223372036854775808", Int.min),
    ]) func integers(_ text: String, _ value: Int) throws { #expect(try Scalars.integer(text) == Int64(value)) }

    @Test func integersOutOfRange() {
        #expect(
            message { () throws(ValueError) in try Scalars.integer("9223372036854775808") }
                == "strconv.ParseInt: parsing \"9223372036854775808\": value out of range"
        )
        #expect(
            message { () throws(ValueError) in try Scalars.integer("") }
                == "strconv.ParseInt: parsing \"\": invalid syntax"
        )
    }

    @Test func ulimits() throws {
        let one = try Ulimit(parsing: "nofile=1024")
        #expect((one.name, one.soft, one.hard) == ("nofile", 1024, 1024))
        let two = try Ulimit(parsing: "core=0:-1")
        #expect((two.name, two.soft, two.hard) == ("core", 0, -1))
        let rule = "ulimit soft limit must be less than or equal to hard limit"
        for (text, error) in [
            ("x", "invalid ulimit argument: x"), ("foo=1", "invalid ulimit type: foo"),
            ("nofile=a", "strconv.ParseInt: parsing \"a\": invalid syntax"), ("nofile=3:2", "\(rule): 3 > 2"),
            ("nofile=-1:2", "\(rule): soft: -1 (unlimited), hard: 2"),
        ] {
            #expect(message { () throws(ValueError) in try Ulimit(parsing: text) } == error)
        }
    }

    @Test func keysAndValues() throws {
        #expect(try KeyValue.label("a=b=c") == KeyValue("a", "b=c"))
        #expect(try KeyValue.label("a") == KeyValue("a", ""))
        #expect(message { () throws(ValueError) in try KeyValue.label("a b=c") } == "label 'a b' contains whitespaces")
        #expect(try KeyValue.sysctl("net.ipv4.ip_forward=1") == KeyValue("net.ipv4.ip_forward", "1"))
        #expect(try KeyValue.sysctl("kernel.shmmax=1") == KeyValue("kernel.shmmax", "1"))
        for text in ["x", "vm.swappiness=1", "net.x", "=1"] {
            #expect(message { () throws(ValueError) in try KeyValue.sysctl(text) } == "sysctl '\(text)' is not allowed")
        }
        #expect(try KeyValue.filter("Status = running") == KeyValue("status", "running"))
    }

    @Test func environment() throws {
        let host = { (name: String) -> String? in name == "HOST" ? "h" : nil }
        #expect(
            try Environment.resolve(options: ["A=1", "HOST", "UNSET", "A="], files: [], host: host)
                == ["A=1", "HOST=h", "A="]
        )
        let file = "\u{FEFF}A=1\n  B = x  \r\n# c\n\nHOST\nUNSET\nQ=\"q\" #no\nE=\n"
        #expect(
            message { () throws(ValueError) in try Environment.parse(Array(file.utf8), host: host) }
                == "variable 'B ' contains whitespaces"
        )
        let good = "\u{FEFF}A=1\n  B= x  \r\n# c\n\nHOST\nUNSET\nQ=\"q\" #no\nE="
        #expect(
            try Environment.parse(Array(good.utf8), host: host) == ["A=1", "B= x  ", "HOST=h", "Q=\"q\" #no", "E="]
        )
        #expect(
            message { () throws(ValueError) in try Environment.parse(Array("=x".utf8), host: host) }
                == "no variable name on line '=x'"
        )
        #expect(
            message { () throws(ValueError) in try Environment.parse([0x41, 0xFF, 0x3D], host: host) }
                == "invalid utf8 bytes at line 1: [65 255 61]"
        )
        #expect(
            message { () throws(ValueError) in try Environment.read("/nonexistent", host: host) }
                == "open /nonexistent: no such file or directory"
        )
    }

    @Test func mounts() throws {
        let bind = try MountOption(parsing: "type=bind,src=/a,dst=/b,ro,bind-propagation=rslave")
        #expect(bind.kind == .bind && bind.source == "/a" && bind.target == "/b" && bind.readOnly)
        #expect(bind.propagation == "rslave")
        let quoted = try MountOption(parsing: "type=bind,\"source=/a,\"\"b\",target=/c,readonly=0")
        #expect(quoted.source == "/a,\"b" && !quoted.readOnly)
        let memory = try MountOption(parsing: "type=tmpfs,destination=/t,tmpfs-size=64m,tmpfs-mode=1770")
        #expect(memory.tmpfsSize == 64 << 20 && memory.tmpfsMode == 0o1770)
        #expect(try MountOption(parsing: "source=data,target=/d,volume-nocopy").volumeNoCopy)
        #expect(try MountOption(parsing: "type=bind,src=./x,dst=/b").source?.hasPrefix("/") == true)
    }

    @Test(arguments: [
        ("", "value is empty"),
        ("type=x,dst=/a", "invalid mount config for type \"x\": mount type unknown"),
        ("type=bind,src=/a,dst", "invalid field 'dst' must be a key=value pair"),
        ("type=bind,foo=1", "unknown option 'foo' in 'foo=1'"),
        ("type=bind, src=/a", "invalid option 'src' in ' src=/a': option should not have whitespace"),
        ("type=bind,src=", "invalid value for 'src': value is empty"),
        ("type=bind,src=/a", "invalid mount config for type \"bind\": field Target must not be empty"),
        ("type=bind,dst=/a", "invalid mount config for type \"bind\": field Source must not be empty"),
        (
            "type=bind,src=a,dst=/a",
            "invalid mount config for type \"bind\": invalid mount path: 'a' mount path must be absolute"
        ),
        (
            "type=bind,src=/a,dst=/",
            "invalid mount config for type \"bind\": invalid specification: destination can't be '/'"
        ),
        ("type=tmpfs,dst=/x,tmpfs-size=x", "invalid value for tmpfs-size: x"),
        ("type=bind,src=/a,dst=/b,tmpfs-size=1", "cannot mix 'tmpfs-*' options with mount type 'bind'"),
        (
            "type=bind,src=/a,dst=/b,bind-recursive=writable",
            "option 'bind-recursive=writable' requires 'readonly' to be specified in conjunction"
        ),
        (
            "type=bind,src=/a,dst=/b,ro=maybe",
            "invalid value for 'ro': invalid boolean value (\"maybe\"): must be one of \"true\", \"1\", \"false\", or "
                + "\"0\" (default \"true\")"
        ),
        ("type=bind,\"src=/a", "parse error on line 1, column 18: extraneous or missing \" in quoted-field"),
        ("type=bind,s\"rc=/a", "parse error on line 1, column 12: bare \" in non-quoted-field"),
    ]) func badMounts(_ text: String, _ error: String) {
        #expect(message { () throws(ValueError) in try MountOption(parsing: text) } == error)
    }

    @Test func volumes() throws {
        let bind = try VolumeOption(parsing: "/a:/b:ro,z,rshared")
        #expect(bind.source == .path("/a") && bind.target == "/b" && bind.readOnly)
        #expect(bind.relabel == .shared && bind.propagation == "rshared")
        #expect(try VolumeOption(parsing: "data:/b:nocopy").source == .volume("data"))
        #expect(try VolumeOption(parsing: "/b").source == .anonymous)
        guard case .path(let path) = try VolumeOption(parsing: "./x:/b").source else {
            Issue.record("not a path")
            return
        }
        #expect(path.hasPrefix("/") && path.hasSuffix("/x"))
    }

    @Test(arguments: [
        ("", "invalid empty volume spec"), ("::/b", "invalid spec: ::/b: empty section between colons"),
        ("/a:/b:ro:x", "invalid spec: /a:/b:ro:x: too many colons"), ("/a:/b:foo", "invalid mode: foo"),
        ("/a:/b:ro,rw", "invalid mode: ro,rw"),
        ("/a:b", "invalid volume specification: '/a:b': invalid mount path: 'b' mount path must be absolute"),
        ("/a:/", "invalid volume specification: '/a:/': invalid specification: destination can't be '/'"),
        (
            "a/b:/c",
            "create a/b: \"a/b\" includes invalid characters for a local volume name, only "
                + "\"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path"
        ),
    ]) func badVolumes(_ text: String, _ error: String) {
        #expect(message { () throws(ValueError) in try VolumeOption(parsing: text) } == error)
    }

    @Test func devices() throws {
        for (text, host, container, mode) in [
            ("/dev/a", "/dev/a", "/dev/a", "rwm"), ("/dev/a:/dev/b", "/dev/a", "/dev/b", "rwm"),
            ("/dev/a:r", "/dev/a", "/dev/a", "r"), ("/dev/a:/dev/b:rw", "/dev/a", "/dev/b", "rw"),
        ] {
            let device = try DeviceOption(parsing: text)
            #expect((device.hostPath, device.containerPath, device.permissions) == (host, container, mode))
        }
        for (text, error) in [
            ("a", "a is not an absolute path"), ("/a:/b:zz", "bad mode specified: zz"),
            ("/a:/b:rr", "bad mode specified: rr"), ("a:b:c:d", "bad format for path: a:b:c:d"),
            (":/b", "bad format for path: :/b"),
        ] {
            #expect(message { () throws(ValueError) in try DeviceOption(parsing: text) } == error)
        }
    }

    @Test func hosts() throws {
        for (text, name, address) in [
            ("a:1.2.3.4", "a", "1.2.3.4"), ("a=::1", "a", "::1"), ("a:::1", "a", "::1"), ("a:[::1]", "a", "::1"),
            ("a:host-gateway", "a", "host-gateway"),
        ] {
            let host = try ExtraHost(parsing: text)
            #expect((host.name, host.address) == (name, address))
        }
        #expect(
            message { () throws(ValueError) in try ExtraHost(parsing: "a:x") }
                == "invalid IP address in add-host: \"x\""
        )
    }

    @Test(arguments: [
        ("1.2.3.4", "1.2.3.4"), ("0:0:0:0:0:0:0:1", "::1"), ("2001:DB8::1", "2001:db8::1"), ("::", "::"),
        ("1::", "1::"), ("::ffff:1.2.3.4", "::ffff:102:304"), ("1:0:0:2:0:0:0:3", "1:0:0:2::3"),
        ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
    ]) func addresses(_ text: String, _ canonical: String) throws {
        #expect(try IPAddress(parsing: text).description == canonical)
    }

    @Test(arguments: [
        "", "1.2.3", "1.2.3.256", "01.2.3.4", "1:2", ":::", "1::2::3", "g::", "1:2:3:4:5:6:7:8:9", "::12345",
    ])
    func notAddresses(_ text: String) { #expect(IPAddress(text) == nil) }

    @Test func domains() throws {
        for (text, result) in [(".", "."), ("a.b", "a.b"), ("example.com.", "example.com"), (" x ", "x")] {
            #expect(try SearchDomain.checked(text) == result)
        }
        for text in ["", "1", "-a", "a..b", "a_b"] {
            #expect(
                message { () throws(ValueError) in try SearchDomain.checked(text) } == "\(text) is not a valid domain"
            )
        }
    }

    @Test func names() {
        for name in ["ab", "a.b-c_d", "0a"] { #expect(ContainerName.isValid(name)) }
        for name in ["", "a", "-a", "a b", "a/b", "é1"] { #expect(!ContainerName.isValid(name)) }
    }

    @Test func securityOptions() throws {
        for (text, option) in [
            ("no-new-privileges", .noNewPrivileges(true)), ("no-new-privileges:false", .noNewPrivileges(false)),
            ("no-new-privileges=true", .noNewPrivileges(true)), ("seccomp=unconfined", .seccompUnconfined),
            ("seccomp:builtin", .seccompBuiltin), ("seccomp=/p.json", .seccompProfile("/p.json")),
            ("apparmor=x", .apparmor("x")), ("label=type:t", .label("type:t")),
            ("systempaths=unconfined", .systemPathsUnconfined),
        ] as [(String, SecurityOption)] {
            #expect(try SecurityOption(parsing: text) == option)
        }
        for text in ["x", "seccomp", "seccomp=", "foo=bar"] {
            #expect(
                message { () throws(ValueError) in try SecurityOption(parsing: text) }
                    == "invalid --security-opt: \"\(text)\""
            )
        }
    }

    @Test func namespaces() throws {
        #expect(try NamespaceOption.pid("container:x") == .container("x"))
        #expect(try NamespaceOption.pid(nil) == .unspecified)
        #expect(try NamespaceOption.ipc("shareable") == .shareable)
        #expect(message { () throws(ValueError) in try NamespaceOption.pid("x") } == "--pid: invalid PID mode")
        #expect(message { () throws(ValueError) in try NamespaceOption.uts("x") } == "--uts: invalid UTS mode")
        #expect(
            message { () throws(ValueError) in try NamespaceOption.cgroup("x") } == "--cgroupns: invalid CGROUP mode"
        )
        #expect(message { () throws(ValueError) in try NamespaceOption.ipc("x") } == "invalid IPC mode: x")
    }

    @Test func pullModes() throws {
        #expect(try PullPolicy(parsing: "never") == .never)
        #expect(
            message { () throws(ValueError) in try PullPolicy(parsing: "x") }
                == "invalid pull option: 'x': must be one of \"always\", \"missing\" or \"never\""
        )
    }

    @Test func quoting() {
        #expect("a\"b\\\n\u{1}é\u{200B}".goQuoted == "\"a\\\"b\\\\\\n\\x01é\\u200b\"")
    }
}
