import CLinux
import LinuxSystem
import OCI
import Testing

@testable import Runtime

@Suite("device filter")
struct CgroupDeviceTests {
    typealias Rule = LinuxResources.DeviceRule
    typealias Access = LinuxResources.Access

    /// Runs a program as the kernel would, on one request.
    static func run(_ program: DeviceProgram, _ kind: Rule.Kind, _ major: UInt32, _ minor: UInt32, _ access: Access)
        -> Bool?
    {
        let request: [UInt32] = [access.rawValue << 16 | (kind == .block ? 1 : 2), major, minor]
        var registers = [UInt32](repeating: 0xDEAD, count: 11)
        var at = 0
        while program.instructions.indices.contains(at) {
            let code = program.instructions[at]
            let (to, value) = (code.destination, code.immediate)
            at += 1
            switch code.operation {
            case .load: registers[to] = request[code.offset / 4]
            case .andImmediate: registers[to] &= value
            case .shiftRightImmediate: registers[to] >>= value
            case .moveImmediate: registers[to] = value
            case .move: registers[to] = registers[code.source]
            case .jumpIfNotEqual: at += registers[to] != value ? code.offset : 0
            case .jumpIfEqual: at += registers[to] == value ? code.offset : 0
            case .jumpIfAnyBit: at += registers[to] & value != 0 ? code.offset : 0
            case .exit: return registers[0] == 1
            case nil: return nil
            }
        }
        return nil
    }

    static let requests: [(Rule.Kind, UInt32, UInt32, Access)] = [Rule.Kind.character, .block].flatMap { kind in
        [(0, 0), (1, 3), (1, 5), (1, 11), (5, 1), (8, 0), (10, 200), (10, 229), (136, 7), (UInt32.max, UInt32.max)]
            .flatMap { number in (1...7).map { (kind, number.0, number.1, Access(rawValue: $0)) } }
    }

    static let rulesets: [[Rule]] = [
        [],
        Rule.everything,
        Rule.docker + Rule.runtimeDefaults,
        [
            Rule(allow: true), Rule(allow: false, .block, major: 8, access: .write),
            Rule(allow: false, .character, major: 1, minor: 3),
        ],
        [Rule(allow: true, .character, access: .read), Rule(allow: true, .character, major: 1, access: .write)],
        [Rule(allow: true, .block, minor: 0, access: [.read, .write]), Rule(allow: true, .all, major: 10)],
        [Rule(allow: true, .character, major: UInt32.max, minor: UInt32.max)],
    ]

    @Test(arguments: rulesets.indices)
    func programAndPolicyAgree(_ index: Int) throws {
        let policy = try DevicePolicy(Self.rulesets[index])
        let program = DeviceProgram(policy)
        for (kind, major, minor, access) in Self.requests {
            let expected = policy.allows(kind, major: major, minor: minor, access)
            #expect(
                Self.run(program, kind, major, minor, access) == expected,
                "\(kind.rawValue) \(major):\(minor) \(access.text)"
            )
        }
    }

    @Test func lastRuleWins() throws {
        let docker = try DevicePolicy(Rule.docker + Rule.runtimeDefaults)
        #expect(docker.allows(.character, major: 1, minor: 3, .all))
        #expect(docker.allows(.character, major: 10, minor: 200, [.read, .write]))
        #expect(docker.allows(.block, major: 8, minor: 0, .mknod))
        #expect(!docker.allows(.block, major: 8, minor: 0, [.read, .mknod]))
        #expect(!docker.allows(.character, major: 10, minor: 229, .read))
        #expect(!docker.allowsByDefault)
        // A later, broader denial takes back what narrower rules gave.
        let taken = try DevicePolicy([
            Rule(allow: true, .character, major: 1, minor: 3), Rule(allow: false, .character, major: 1, access: .write),
        ])
        #expect(taken.exceptions.map(\.text) == ["c 1:3 rm"])
        #expect(try DevicePolicy(Rule.docker + Rule.everything + Rule.runtimeDefaults).isUnrestricted)
        // In a list of denials, a part of the request suffices.
        let denials = try DevicePolicy([Rule(allow: true), Rule(allow: false, .block, access: .write)])
        #expect(!denials.allows(.block, major: 8, minor: 0, [.read, .write]))
        #expect(denials.allows(.block, major: 8, minor: 0, .read))
    }

    @Test func holesAreRefused() {
        let error = #expect(throws: EngineError.self) {
            try DevicePolicy([
                Rule(allow: true, .character, major: 1), Rule(allow: false, .character, major: 1, minor: 11),
            ])
        }
        #expect(error?.message == "cannot deny device c 1:11 rwm: it is part of the broader rule c 1:* rwm")
    }

    /// Linux's own verifier and its judgement, on a cgroup of version 2.
    @Test(.enabled(if: CgroupSandbox.unified != nil, "needs root and a writable cgroup2 mount"))
    func kernelAppliesTheProgram() throws {
        let sandbox = try #require(CgroupSandbox.unified)
        let cgroup = try Cgroup.create(try sandbox.plan("bpf") { $0.devices = Rule.everything })
        defer { try? cgroup.remove() }
        let folder = try FileDescriptor.open(try #require(cgroup.unifiedDirectory), O_RDONLY | O_DIRECTORY)
        let policy = try DevicePolicy([Rule(allow: true, .character, major: 1, minor: 3, access: [.read, .write])])
        try DeviceProgram(policy).attach(to: folder.raw)
        #expect(try DeviceProgram.attached(to: folder.raw).count == 1)
        #expect(try CgroupSandbox.run(in: cgroup, ": </dev/null && : >/dev/null").status == .exited(0))
        let denied = try CgroupSandbox.run(in: cgroup, "cat /dev/zero | head -c 1")
        #expect(denied.errorText.contains("/dev/zero: Operation not permitted"))
        let node = try CgroupSandbox.run(in: cgroup, "mknod /dev/minirun-test-node c 1 3")
        #expect(node.errorText.contains("Operation not permitted"))
        // A second program takes the first one's place.
        for rules in Self.rulesets { try DeviceProgram(DevicePolicy(rules)).attach(to: folder.raw) }
        try DeviceProgram(DevicePolicy(Rule.docker + Rule.runtimeDefaults)).attach(to: folder.raw)
        #expect(try DeviceProgram.attached(to: folder.raw).count == 1)
        #expect(try CgroupSandbox.run(in: cgroup, "head -c 1 /dev/zero").status == .exited(0))
        #expect(try CgroupSandbox.run(in: cgroup, "head -c 1 /dev/kmsg").errorText.contains("Operation not permitted"))
    }
}
