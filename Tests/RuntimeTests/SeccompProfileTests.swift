import OCI
import Testing

@testable import Runtime

@Suite("Seccomp profiles") struct SeccompProfileTests {
    static let target = SeccompProfile.Target(
        capabilities: .dockerDefault,
        kernel: KernelVersion(6, 1),
        architecture: .x86_64
    )

    static func read(_ text: String) throws -> SeccompProfile? { try SeccompProfile.read(Array(text.utf8)) }

    static func error(_ text: String) -> String? {
        do {
            _ = try read(text)
            return nil
        } catch { return "\(error)" }
    }

    @Test("docker's default depends on machine, kernel and capabilities") func shape() {
        let configuration = DockerProfile.profile.configuration(for: Self.target)
        #expect(configuration.defaultAction == .errno)
        #expect(configuration.defaultErrnoRet == 1)
        #expect(configuration.architectures == [.x86_64, .x86, .x32])
        #expect(configuration.flags == nil)
        let names = Set(configuration.syscalls.flatMap(\.names))
        #expect(names.isSuperset(of: ["read", "clone", "clone3", "chroot", "ptrace", "arch_prctl"]))
        #expect(
            names.isDisjoint(with: ["mount", "unshare", "keyctl", "io_uring_setup", "riscv_flush_icache", "cacheflush"])
        )

        var arm = Self.target
        arm.architecture = .aarch64
        #expect(DockerProfile.profile.configuration(for: arm).architectures == [.aarch64, .arm])
        #expect(DockerProfile.profile.configuration(for: arm).syscalls.contains { $0.names.contains("cacheflush") })

        var mainframe = Self.target
        mainframe.architecture = .s390x
        let clone = DockerProfile.profile.configuration(for: mainframe).syscalls.filter { $0.names == ["clone"] }
        #expect(clone.map { $0.args.map(\.index) } == [[1]], "s390 has clone's flags in the second argument")
    }

    @Test("the cache's key for docker's default names the table's version") func version() {
        var base = DockerProfile.profile.base
        base.syscalls = DockerProfile.profile.rules.map(\.rule)
        var text = base.json.text()
        for entry in DockerProfile.profile.architectureMap { text += "\(entry.architecture) \(entry.subArchitectures)" }
        for condition in DockerProfile.profile.rules.flatMap({ [$0.includes, $0.excludes] }) {
            text += "\(condition.capabilities) \(condition.architectures) \(condition.minimumKernel?.description ?? "")"
        }
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
        #expect(
            (DockerProfile.version, String(hash, radix: 16)) == ("0.2.3+1", "135742d256e5be79"),
            "the table changed: change DockerProfile.version, then this line"
        )
    }

    @Test("docker's form: archMap, name, names, includes, excludes") func dockerForm() throws {
        let profile = try #require(
            try Self.read(
                """
                {
                  "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1,
                  "archMap": [
                    {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]},
                    {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": null}
                  ],
                  "syscalls": [
                    {"names": ["read", "write"], "action": "SCMP_ACT_ALLOW", "args": null, "comment": "ignored"},
                    {"name": "clone", "action": "SCMP_ACT_ALLOW",
                     "args": [{"index": 0, "value": 2114060288, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}],
                     "excludes": {"caps": ["CAP_SYS_ADMIN"], "arches": ["s390"]}},
                    {"names": ["mount"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
                    {"names": ["odd"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_NOT_YET_INVENTED"]}},
                    {"names": ["ptrace"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "4.8"}},
                    {"names": ["old"], "action": "SCMP_ACT_ALLOW", "excludes": {"minKernel": "4.8"}},
                    {"names": ["cacheflush"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["arm", "arm64"]}},
                    {"names": ["personality"], "action": "SCMP_ACT_ALLOW",
                     "args": [{"index": 0, "value": 18446744073709551615, "op": "SCMP_CMP_EQ"}]}
                  ]
                }
                """
            )
        )
        let own = profile.configuration(for: Self.target)
        #expect(own.architectures == [.x86_64, .x86, .x32])
        #expect(own.syscalls.map(\.names) == [["read", "write"], ["clone"], ["ptrace"], ["personality"]])
        #expect(own.syscalls[1].args == [.init(index: 0, value: 0x7E02_0000, op: .maskedEqual)])
        #expect(own.syscalls[3].args[0].value == .max)

        var other = Self.target
        other.architecture = .aarch64
        other.kernel = KernelVersion(4, 7)
        other.capabilities.formUnion(try CapabilitySet(name: "CAP_SYS_ADMIN"))
        let configuration = profile.configuration(for: other)
        #expect(configuration.architectures == [.aarch64])
        #expect(
            configuration.syscalls.map(\.names) == [
                ["read", "write"], ["mount"], ["old"], ["cacheflush"], ["personality"],
            ]
        )
    }

    @Test("the specification's form survives reading and writing") func roundTrip() throws {
        let configuration = SeccompConfiguration(
            defaultAction: .trace,
            defaultErrnoRet: 9,
            architectures: [.x86_64, .riscv64],
            flags: [],
            listenerPath: "/run/agent.sock",
            listenerMetadata: "text",
            syscalls: [
                .init(names: ["a", "b"], action: .errno, errnoRet: 38),
                .init(
                    names: ["c"],
                    action: .notify,
                    args: [.init(index: 5, value: .max, valueTwo: 7, op: .maskedEqual)]
                ),
            ]
        )
        let bytes = Array(configuration.json.text(pretty: true).utf8)
        #expect(try SeccompConfiguration(JSON.parse(bytes)) == configuration)
        #expect(try SeccompProfile.read(bytes)?.configuration(for: Self.target) == configuration)
    }

    @Test("a profile that says nothing means no filter, as for docker") func empty() throws {
        #expect(try Self.read("{}") == nil)
        #expect(try Self.read(#"{"defaultAction": "", "syscalls": []}"#) == nil)
        #expect(try Self.read(#"{"defaultAction": "SCMP_ACT_ALLOW"}"#) != nil)
    }

    @Test(
        "errors are one line and say where",
        arguments: [
            (#"[]"#, "not an object"),
            (#"{"syscalls": [{"names": ["a"], "action": "SCMP_ACT_ALLOW"}]}"#, #""defaultAction" is missing"#),
            (#"{"defaultAction": "SCMP_ACT_PERHAPS"}"#, #"unknown "defaultAction": "SCMP_ACT_PERHAPS""#),
            (#"{"defaultAction": 7}"#, #""defaultAction" is not a string"#),
            (
                #"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["a"], "action": "ALLOW"}]}"#,
                #"syscalls[0]: unknown "action": "ALLOW""#
            ),
            (
                #"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"name": "a", "names": ["b"], "action": "SCMP_ACT_ALLOW"}]}"#,
                #"syscalls[0]: both "name" and "names"; use one of them"#
            ),
            (
                #"{"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_VAX"]}"#,
                #"unknown "architectures": "SCMP_ARCH_VAX""#
            ),
            (
                #"{"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86"], "archMap": [{"architecture": "SCMP_ARCH_X86"}]}"#,
                #"both "architectures" and "archMap"; use one of them"#
            ),
            (
                #"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["a"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 6, "op": "SCMP_CMP_EQ"}]}]}"#,
                #"syscalls[0].args[0]: "index" is 6, but a system call has six arguments"#
            ),
            (
                #"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["a"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "4.8.1"}}]}"#,
                #"syscalls[0].includes: "minKernel" is "4.8.1", not a version such as "4.8""#
            ),
            (
                #"{"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 1}"#,
                #""defaultErrnoRet" has no meaning for SCMP_ACT_ALLOW"#
            ),
            (#"{"defaultAction": "SCMP_ACT_ALLOW", "flags": ["X"]}"#, #"unknown "flags": "X""#),
        ]
    )
    func errors(_ text: String, _ message: String) {
        #expect(Self.error(text) == "invalid seccomp profile: " + message)
    }

    @Test("text that is no JSON") func noJSON() {
        #expect(Self.error("{\"defaultAction\": ")?.hasPrefix("invalid seccomp profile: invalid JSON at byte") == true)
    }

    @Test("kernel releases") func releases() {
        #expect(KernelVersion(release: "6.18.44-fc-v782 ") == KernelVersion(6, 18))
        #expect(KernelVersion(release: "3.12-1-amd64") == KernelVersion(3, 12))
        #expect(KernelVersion(release: "5.10rc1") == KernelVersion(5, 10))
        #expect(KernelVersion(release: "six") == nil)
        #expect(KernelVersion(4, 19) < KernelVersion(5, 4))
        #expect(KernelVersion(4, 8) < KernelVersion(4, 19))
    }
}
