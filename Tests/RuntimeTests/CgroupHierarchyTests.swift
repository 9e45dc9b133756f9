import OCI
import Testing

@testable import Runtime

@Suite("cgroup hierarchies")
struct CgroupHierarchyTests {
    static let hybridMounts = """
        23 27 0:22 / /sys rw,relatime - sysfs sysfs rw
        31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
        32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
        34 31 0:31 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset
        35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
        36 31 0:33 / /sys/fs/cgroup/devices rw,relatime - cgroup cgroup rw,devices
        37 31 0:34 / /sys/fs/cgroup/freezer rw,relatime - cgroup cgroup rw,freezer
        38 31 0:35 / /sys/fs/cgroup/blkio rw,relatime - cgroup cgroup rw,blkio
        39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids
        40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
        """
    static let unifiedMount = "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw,nsdelegate"

    static func hierarchy(_ mounts: String, own: String = "9:memory:/\n0::/\n") -> CgroupHierarchy {
        CgroupHierarchy(mountinfo: Array(mounts.utf8), cgroup: Array(own.utf8))
    }

    @Test func hybrid() {
        let found = Self.hierarchy("\(Self.hybridMounts)\n\(Self.unifiedMount)\n")
        #expect(found.mode == .hybrid)
        #expect(found.unified?.directory == "/sys/fs/cgroup/unified")
        #expect(found.unified?.controllers == nil)
        #expect(found.mounts[.cpu] == "/sys/fs/cgroup/cpu,cpuacct")
        #expect(found.mounts[.cpuacct] == "/sys/fs/cgroup/cpu,cpuacct")
        #expect(found.mounts.count == 8)
        #expect(found.named == ["systemd": "/sys/fs/cgroup/systemd"])
        #expect(found.directories.count == 9, "the two that are mounted together count once")
        #expect(found.ownPath == "/")
    }

    @Test func versionOne() {
        let found = Self.hierarchy(Self.hybridMounts, own: "4:memory:/user\n")
        #expect(found.mode == .v1)
        #expect(found.unified == nil)
        #expect(found.ownPath == nil)
    }

    @Test func unified() {
        let found = Self.hierarchy(
            "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n",
            own: "0::/user.slice/session-1.scope\n"
        )
        #expect(found.mode == .unified)
        #expect(found.directories == ["/sys/fs/cgroup"])
        #expect(found.ownPath == "/user.slice/session-1.scope")
    }

    @Test func strangeMounts() {
        let found = Self.hierarchy(
            """
            50 1 0:32 / /mnt/my\\040cgroups rw - cgroup cgroup rw,memory
            51 1 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
            52 1 0:40 / /mnt/a\\134b rw - cgroup none rw,pids
            53 1 0:41 / /mnt/other rw - cgroupfs none rw,cpu
            54 1 0:42 / /mnt/two rw - cgroup2 none rw
            short - cgroup
            """
        )
        #expect(found.mounts == [.memory: "/sys/fs/cgroup/memory", .pids: "/mnt/a\\b"])
        #expect(found.unified?.directory == "/mnt/two")
        #expect(
            Self.hierarchy("50 1 0:32 / /mnt/my\\040cgroups rw - cgroup cgroup rw,cpu").mounts[.cpu]
                == "/mnt/my cgroups"
        )
    }

    @Test func thisMachine() throws {
        let found = try CgroupHierarchy.current()
        #expect(!found.directories.isEmpty)
    }

    @Test(arguments: ["a/../b", "..", "", "/", "a/./b", "a\nb"])
    func badNames(_ name: String) { #expect(throws: EngineError.self) { try CgroupName(name) } }

    @Test func names() throws {
        let name = try CgroupName(container: "abc")
        #expect(name.directory(in: "/r") == "/r/minirun/abc")
        #expect(name.parentDirectories(in: "/r") == ["/r/minirun"])
        #expect(try CgroupName("/a/b/c").parentDirectories(in: "/r") == ["/r/a", "/r/a/b"])
    }
}

@Suite("linux.resources")
struct CgroupResourcesTests {
    static let text = """
        {"devices":[{"allow":false,"access":"rwm"},{"allow":true,"type":"c","major":1,"minor":3,"access":"rw"}],
        "memory":{"limit":536870912,"reservation":1,"swap":-1,"kernel":-1,"kernelTCP":5,"swappiness":0,
        "disableOOMKiller":false,"useHierarchy":true,"checkBeforeUpdate":true},
        "cpu":{"shares":1024,"quota":1000000,"burst":1000,"period":500000,"realtimeRuntime":950000,
        "realtimePeriod":1000000,"cpus":"2-3","mems":"0-7","idle":0},
        "pids":{"limit":32771},
        "blockIO":{"weight":10,"leafWeight":11,"weightDevice":[{"major":8,"minor":0,"weight":500,"leafWeight":300}],
        "throttleReadBpsDevice":[{"major":8,"minor":0,"rate":600}],"throttleWriteIOPSDevice":[{"major":8,"minor":16,"rate":300}]},
        "hugepageLimits":[{"pageSize":"2MB","limit":9223372036854771712}],
        "network":{"classID":1048577,"priorities":[{"name":"eth0","priority":500}]},
        "rdma":{"mlx5_1":{"hcaHandles":3,"hcaObjects":10000}},
        "unified":{"io.max":"259:0 rbps=2097152","memory.high":"1048576"}}
        """

    @Test func roundTrip() throws {
        let json = try JSON.parse(Self.text)
        let resources = try LinuxResources(json)
        #expect(resources.json == json)
        #expect(
            resources.devices[1]
                == LinuxResources.DeviceRule(allow: true, .character, major: 1, minor: 3, access: [.read, .write])
        )
        #expect(resources.memory.swap == -1)
        #expect(try LinuxResources(resources.json) == resources)
        #expect(LinuxResources().json.text() == "{}")
    }

    @Test func goForms() throws {
        let resources = try LinuxResources(
            JSON.parse(#"{"devices":[{"allow":true,"major":-1,"minor":-1,"access":""}],"memory":null}"#)
        )
        #expect(resources.devices == LinuxResources.DeviceRule.everything)
    }

    @Test(arguments: [
        #"{"devices":[{"allow":true,"type":"x"}]}"#: "devices[0]: the type \"x\" is none of a, b and c",
        #"{"devices":[{"allow":true,"access":"rx"}]}"#: "devices[0]: \"access\" has other letters than r, w and m",
        #"{"memory":{"limit":"1g"}}"#:
            "memory: \"limit\" is no whole number from -9223372036854775808 to 9223372036854775807",
        #"{"blockIO":{"throttleReadBpsDevice":[{"major":8,"minor":0}]}}"#:
            "blockIO.throttleReadBpsDevice[0]: \"rate\" is missing",
        #"{"blockIO":{"weight":70000}}"#: "blockIO: \"weight\" is no whole number from 0 to 65535",
        #"{"unified":{"memory.max":1}}"#: "\"unified.memory.max\" is not a string",
        #"{"cpu":[]}"#: "cpu: not an object",
    ])
    func errors(_ text: String, _ message: String) throws {
        let error = #expect(throws: EngineError.self) { try LinuxResources(try JSON.parse(text)) }
        #expect(error?.message == "invalid linux.resources: \(message)")
    }
}
