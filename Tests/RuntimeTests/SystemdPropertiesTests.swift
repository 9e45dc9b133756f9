import OCI
import Testing

@testable import Runtime

@Suite("systemd's properties")
struct SystemdPropertiesTests {
    static let scope = SystemdUnit(name: "minirun-x.scope", slice: "a-b.slice", isUserManager: false, isUnified: true)

    /// "MemoryMax=t 5" for each property.
    static func text(_ properties: SystemdProperties) -> [String] {
        properties.list.map { "\($0.name)=\($0.value.signature) \(text($0.value))" }
    }

    private static func text(_ value: DBusValue) -> String {
        switch value {
        case .uint64(.max): "infinity"
        case .uint64(let number): "\(number)"
        case .uint32(let number): "\(number)"
        case .byte(let number): "\(number)"
        case .bool(let flag): "\(flag)"
        case .string(let text): text
        case .array(_, let values): "[" + values.map(text).joined(separator: " ") + "]"
        case .structure(let values): "(" + values.map(text).joined(separator: " ") + ")"
        default: "?"
        }
    }

    static func limits(
        isUnified: Bool = true,
        version: Int = 252,
        known: LinuxResources? = nil,
        _ change: (inout LinuxResources) -> Void
    ) throws -> [String] {
        var resources = LinuxResources()
        change(&resources)
        var properties = SystemdProperties()
        try properties.add(resources, known: known, isUnified: isUnified) { () throws(EngineError) in version }
        return text(properties)
    }

    @Test func newScope() {
        #expect(
            Self.text(SystemdProperties(starting: Self.scope, pid: 42, description: "a container"))
                == [
                    "Description=s a container", "Slice=s a-b.slice", "Delegate=b true", "PIDs=au [42]",
                    "MemoryAccounting=b true", "CPUAccounting=b true", "IOAccounting=b true", "TasksAccounting=b true",
                    "DefaultDependencies=b false", "CollectMode=s inactive-or-failed",
                ]
        )
    }

    @Test func newSlice() {
        let slice = SystemdUnit(name: "a-b.slice", slice: "a.slice", isUserManager: false, isUnified: false)
        #expect(
            Self.text(SystemdProperties(starting: slice, pid: nil, description: "pod"))
                == [
                    "Description=s pod", "Wants=as [a.slice]", "MemoryAccounting=b true", "CPUAccounting=b true",
                    "BlockIOAccounting=b true", "TasksAccounting=b true", "DefaultDependencies=b false",
                ]
        )
    }

    static func manyLimits(_ resources: inout LinuxResources) {
        resources.memory.limit = 67_108_864
        resources.memory.swap = 134_217_728
        resources.memory.reservation = 33_554_432
        resources.cpu.shares = 512
        resources.cpu.quota = 15_050
        resources.cpu.period = 100_000
        resources.cpu.cpus = "0-2,9"
        resources.cpu.mems = "0"
        resources.pidsLimit = 100
        resources.blockIO.weight = 500
        resources.blockIO.weightDevices = [LinuxResources.WeightDevice(major: 8, minor: 0, weight: 10)]
    }

    @Test func limitsOnV2() throws {
        #expect(
            try Self.limits(Self.manyLimits)
                == [
                    "MemoryMax=t 67108864", "MemoryLow=t 33554432", "MemorySwapMax=t 67108864", "CPUWeight=t 59",
                    "CPUQuotaPeriodUSec=t 100000", "CPUQuotaPerSecUSec=t 160000", "TasksMax=t 100",
                    "AllowedCPUs=ay [7 2]", "AllowedMemoryNodes=ay [1]", "IOWeight=t 4500",
                    "IODeviceWeight=a(st) [(/dev/block/8:0 10)]",
                ]
        )
    }

    @Test func limitsOnV1() throws {
        #expect(
            try Self.limits(isUnified: false, Self.manyLimits)
                == [
                    "MemoryLimit=t 67108864", "CPUShares=t 512", "CPUQuotaPeriodUSec=t 100000",
                    "CPUQuotaPerSecUSec=t 160000", "TasksMax=t 100", "AllowedCPUs=ay [7 2]",
                    "AllowedMemoryNodes=ay [1]",
                    "BlockIOWeight=t 500",
                ]
        )
    }

    @Test func noLimit() throws {
        let lifted = try Self.limits { resources in
            resources.memory.limit = -1
            resources.cpu.quota = -1
            resources.pidsLimit = -1
        }
        #expect(
            lifted == [
                "MemoryMax=t infinity", "MemorySwapMax=t infinity", "CPUQuotaPerSecUSec=t infinity",
                "TasksMax=t infinity",
            ]
        )
        #expect(try Self.limits { $0.pidsLimit = 0 } == ["TasksMax=t 1"])
        #expect(
            try Self.limits { $0.cpu.period = 50_000 } == [
                "CPUQuotaPeriodUSec=t 50000", "CPUQuotaPerSecUSec=t infinity",
            ]
        )
        #expect(try Self.limits { _ in } == [])
    }

    /// systemd wants both halves of a pair.
    @Test func halves() throws {
        var known = LinuxResources()
        known.cpu.quota = 50_000
        known.cpu.period = 200_000
        known.memory.limit = 100
        known.memory.swap = 300
        #expect(
            try Self.limits(known: known) { $0.cpu.quota = 20_000 }
                == ["CPUQuotaPeriodUSec=t 200000", "CPUQuotaPerSecUSec=t 100000"]
        )
        #expect(
            try Self.limits(known: known) { $0.cpu.period = 100_000 }
                == ["CPUQuotaPeriodUSec=t 100000", "CPUQuotaPerSecUSec=t 500000"]
        )
        #expect(try Self.limits(known: known) { $0.memory.limit = 200 } == ["MemoryMax=t 200", "MemorySwapMax=t 100"])
        #expect(try Self.limits(known: known) { $0.memory.swap = 150 } == ["MemorySwapMax=t 50"])
        #expect(try Self.limits(known: known) { $0.pidsLimit = 7 } == ["TasksMax=t 7"])
    }

    @Test func idle() throws {
        #expect(try Self.limits { $0.cpu.idle = 1 } == ["CPUWeight=t 0"])
        #expect(try Self.limits(version: 251) { $0.cpu.idle = 1 } == [])
        #expect(try Self.limits { $0.unified = ["cpu.idle": "1", "cpu.weight": "8"] } == ["CPUWeight=t 0"])
        #expect(
            try Self.limits(version: 251) { $0.unified = ["cpu.idle": "1", "cpu.weight": "8"] } == ["CPUWeight=t 8"]
        )
    }

    @Test func unified() throws {
        let settings = [
            "cpu.max": "50000 20000", "cpuset.cpus": "5-8", "cpuset.mems": "0", "memory.high": "5", "memory.low": "max",
            "memory.min": "6\n", "memory.max": "7", "memory.swap.max": "0", "pids.max": "0", "io.bfq.weight": "1000",
            "io.weight": "default 7\n8:16 8", "hugetlb.2MB.max": "1",
        ]
        #expect(
            try Self.limits { $0.unified = settings }
                == [
                    "CPUQuotaPeriodUSec=t 20000", "CPUQuotaPerSecUSec=t 2500000", "AllowedCPUs=ay [224 1]",
                    "AllowedMemoryNodes=ay [1]", "IOWeight=t 10000", "IOWeight=t 7",
                    "IODeviceWeight=a(st) [(/dev/block/8:16 8)]", "MemoryHigh=t 5", "MemoryLow=t infinity",
                    "MemoryMax=t 7", "MemoryMin=t 6", "MemorySwapMax=t 0", "TasksMax=t 1",
                ]
        )
        #expect(try Self.limits(isUnified: false) { $0.unified = settings } == [])
        let error = #expect(throws: EngineError.self) { try Self.limits { $0.unified = ["memory.max": "1M"] } }
        #expect(error?.message == "unified resource \"memory.max\" value conversion error: \"1M\"")
    }

    @Test(arguments: [
        "": "empty value", "1-": "invalid number: 1-", "3-1": "invalid range: 3-1", "x": "invalid number: x",
    ])
    func badLists(_ list: String, _ reason: String) throws {
        let error = #expect(throws: EngineError.self) { try SystemdProperties.bits(list, of: "cpuset.cpus") }
        #expect(error?.message == "cpuset.cpus=\"\(list)\" conversion error: \(reason)")
    }

    @Test func devices() throws {
        typealias Rule = LinuxResources.DeviceRule
        func text(_ rules: [Rule]) throws -> [String] {
            var properties = SystemdProperties()
            try properties.addDevices(rules)
            return Self.text(properties)
        }
        let some = try text([
            Rule(allow: false), Rule(allow: true, .block, major: 8, access: .read), Rule(allow: true, .block, minor: 7),
        ])
        #expect(
            some == [
                "DeviceAllow=a(ss) []", "DevicePolicy=s strict",
                "DeviceAllow=a(ss) [(block-8 r) (char-* m) (block-* m) (/dev/char/1:3 rwm) (/dev/char/1:8 rwm) "
                    + "(/dev/char/1:7 rwm) (/dev/char/5:0 rwm) (/dev/char/1:5 rwm) (/dev/char/1:9 rwm) (char-136 rwm) "
                    + "(/dev/char/5:2 rwm) (/dev/char/10:200 rwm)]",
            ]
        )
        #expect(try text(Rule.everything) == ["DeviceAllow=a(ss) []", "DevicePolicy=s auto"])
        #expect(
            try text(Rule.everything + [Rule(allow: false, .block)]) == [
                "DeviceAllow=a(ss) []", "DevicePolicy=s strict",
            ]
        )
    }

    @Test func annotations() throws {
        func text(_ annotations: [String: String]) throws -> [String] {
            var properties = SystemdProperties()
            try properties.add(annotations: annotations)
            return Self.text(properties)
        }
        #expect(
            try text([
                "org.systemd.property.TimeoutStopUSec": "uint64 5", "org.systemd.property.CollectMode": "'inactive'",
                "other": "x", "org.systemd.property.RuntimeMaxSec": "2", "org.systemd.property.After": "['a.service']",
                "org.systemd.property.TimeoutSec": "0.5", "org.systemd.property.FooXSec": "uint64 3",
            ]) == [
                "After=as [a.service]", "CollectMode=s inactive", "FooXSec=t 3", "RuntimeMaxUSec=t 2000000",
                "TimeoutUSec=t 500000", "TimeoutStopUSec=t 5",
            ]
        )
        for (key, value, message) in [
            ("a", "1", "annotation org.systemd.property.a name incorrect: too short"),
            ("a_b", "1", "annotation org.systemd.property.a_b name incorrect: contains non-alphabetic character"),
            ("StopSec", "'x'", "annotation org.systemd.property.StopSec='x' value parse error: not a number"),
            (
                "After", "[]",
                "annotation org.systemd.property.After=[] value parse error: an empty array needs a type, such as @as []"
            ),
        ] {
            let error = #expect(throws: EngineError.self) { try text(["org.systemd.property.\(key)": value]) }
            #expect(error?.message == message)
        }
    }

    @Test func rounding() {
        var resources = LinuxResources()
        resources.cpu.quota = 15_050
        resources.cpu.period = 100_000
        #expect(Self.scope.rounding(resources).cpu.quota == 16_000)
        resources.cpu.quota = -1
        #expect(Self.scope.rounding(resources) == resources)
        var known = LinuxResources()
        known.cpu.period = 10_000
        resources = LinuxResources()
        resources.cpu.quota = 3001
        #expect(Self.scope.rounding(resources, known: known).cpu.quota == 3100)
    }

    @Test(arguments: [1: 1, 10: 10, 100: 100, 500: 4500, 1000: 10_000])
    func weights(_ bfq: UInt64, _ weight: UInt64) { #expect(SystemdProperties.ioWeight(bfq: bfq) == weight) }
}
