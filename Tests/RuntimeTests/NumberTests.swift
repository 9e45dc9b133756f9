import OCI
import Testing

@testable import Runtime

/// Every number of a configuration at and beyond its ends, through all that is made of it: plans, cgroups, systemd's
/// properties. There is a plan or an error, and never a trap.
@Suite struct NumberTests {
    static let numbers = [
        "-1", "0", "1", "5", "2147483648", "4294967295", "9223372036854775807", "-9223372036854775808",
        "18446744073709551615", "18446744073709551616", "1e400", #""nan""#,
    ]

    private static let configuration = #"""
        {"ociVersion":"1.2.0",
        "process":{"args":["a"],"cwd":"/","user":{"uid":1,"gid":1,"umask":18,"additionalGids":[7]},
          "consoleSize":{"height":25,"width":80},"oomScoreAdj":10,"rlimits":[{"type":"RLIMIT_NOFILE","soft":10,"hard":20}],
          "scheduler":{"policy":"SCHED_DEADLINE","nice":1,"priority":0,"runtime":1000000,"deadline":2000000,"period":3000000},
          "ioPriority":{"class":"IOPRIO_CLASS_BE","priority":4}},
        "root":{"path":"r"},
        "annotations":{"org.systemd.property.TimeoutStopSec":"1","org.systemd.property.CPUQuotaPeriodSec":"double 1.5"},
        "linux":{"namespaces":[{"type":"mount"},{"type":"user"},{"type":"time"},{"type":"pid"}],
          "uidMappings":[{"containerID":0,"hostID":1000,"size":65536}],
          "gidMappings":[{"containerID":0,"hostID":1000,"size":65536}],
          "timeOffsets":{"monotonic":{"secs":1,"nanosecs":5}},
          "devices":[{"path":"/dev/x","type":"c","major":1,"minor":3,"fileMode":438,"uid":0,"gid":0}],
          "resources":{
            "devices":[{"allow":true,"type":"c","major":1,"minor":3,"access":"rwm"}],
            "memory":{"limit":1000000,"reservation":900000,"swap":2000000,"kernel":1,"kernelTCP":1,"swappiness":5},
            "cpu":{"shares":1024,"quota":50000,"period":100000,"burst":10,"realtimeRuntime":1,"realtimePeriod":2,"idle":1},
            "pids":{"limit":10},
            "blockIO":{"weight":100,"leafWeight":10,"weightDevice":[{"major":8,"minor":0,"weight":10,"leafWeight":10}],
              "throttleReadBpsDevice":[{"major":8,"minor":0,"rate":600}]},
            "hugepageLimits":[{"pageSize":"2MB","limit":10}],
            "network":{"classID":1,"priorities":[{"name":"lo","priority":1}]},
            "rdma":{"mlx":{"hcaHandles":3,"hcaObjects":10}},
            "unified":{"memory.high":"1","cpu.weight":"5","io.bfq.weight":"5","cpu.max":"5 6","cpuset.cpus":"0-1","pids.max":"1",
              "io.weight":"default 7"}}}}
        """#

    /// The document with each of its numbers (and the numbers in its texts), one at a time, replaced.
    private static func variants(_ json: JSON, _ number: String) -> [JSON] {
        switch json {
        case .number: return (try? JSON.parse(number)).map { [$0] } ?? []
        case .string(let text) where text.contains(where: \.isNumber):
            let plain = number.replacing("\"", with: "")
            let words = text.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
            return words.indices.map { place in
                var words = words
                words[place] = plain
                return .string(words.joined(separator: " "))
            }
        case .array(let elements):
            return elements.indices.flatMap { place in
                variants(elements[place], number).map { new in
                    var elements = elements
                    elements[place] = new
                    return .array(elements)
                }
            }
        case .object(let members):
            return members.indices.flatMap { place in
                variants(members[place].value, number).map { new in
                    var members = members
                    members[place].value = new
                    return .object(members)
                }
            }
        default: return []
        }
    }

    @Test(arguments: numbers) func configurations(_ number: String) throws {
        let whole = try JSON.parse(Self.configuration)
        let variants = Self.variants(whole, number)
        #expect(variants.count > 60 || number.hasPrefix("\""))
        for json in variants {
            guard let spec = try? RuntimeSpec(json) else { continue }
            _ = spec.json.text()
            try? spec.validate()
            for hierarchy in [CgroupPlanTests.hybrid, CgroupPlanTests.v1, CgroupPlanTests.v2] {
                _ = try? CgroupPlan(CgroupName(container: "x"), in: hierarchy, resources: spec.linux.resources).text
            }
            for isUnified in [true, false] {
                var properties = SystemdProperties()
                try? properties.add(spec.linux.resources, known: nil, isUnified: isUnified) { () throws(EngineError) in
                    252
                }
                try? properties.add(annotations: spec.annotations)
            }
            guard let plan = try? LaunchPlan(spec, in: LaunchContext(root: .folder("/r"))) else { continue }
            _ = plan.text
            _ = plan.json.text()
        }
    }

    @Test("weights and quotas of systemd at their ends") func systemd() {
        for weight in [0, 1, 9, 10, 100, 1000, 65535, .max] as [UInt64] {
            #expect(SystemdProperties.ioWeight(bfq: weight) >= 1)
        }
        #expect(SystemdProperties.quotaPerSecond(18_446_744_073_710, 1) == .max)
        #expect(SystemdProperties.quotaPerSecond(.max, 1) == .max)
        #expect(SystemdProperties.quotaPerSecond(50_001, 100_000) == 510_000)
        #expect(SystemdProperties.quotaPerSecond(50_000, 100_000) == 500_000)
    }

}
