import OCI
import Testing

@testable import Runtime

@Suite("cgroup placement")
struct CgroupPlacementTests {
    static let hybrid = CgroupHierarchyTests.hierarchy(
        "\(CgroupHierarchyTests.hybridMounts)\n\(CgroupHierarchyTests.unifiedMount)",
        own:
            "9:name=systemd:/s\n8:pids:/p/q\n7:memory:/\n6:devices:/\n5:freezer:/\n4:blkio:/\n3:cpuset:/\n2:cpu,cpuacct:/c\n0::/u\n"
    )
    static let v2 = CgroupHierarchy(
        unified: CgroupHierarchy.Unified(directory: "/sys/fs/cgroup", controllers: ["memory"]),
        ownPath: "/user.slice/user-0.slice/session-1.scope"
    )

    static func place(
        _ path: String?,
        systemd: Bool = false,
        _ hierarchy: CgroupHierarchy = v2,
        isRootless: Bool = false
    )
        throws -> CgroupPlacement
    {
        try CgroupPlacement(
            cgroupsPath: path,
            id: "x",
            systemd: systemd,
            hierarchy: hierarchy,
            isRootless: isRootless
        ) { () throws(EngineError) in "/user.slice/user-7.slice/user@7.service" }
    }

    private static func directories(_ path: String?, _ hierarchy: CgroupHierarchy) throws -> [String] {
        let name = try place(path, hierarchy).name
        return hierarchy.directories.map { name.directory(in: $0).replacing("/sys/fs/cgroup", with: "") }
    }

    @Test(arguments: ["/a/b", "/a//b/", "/../a/./b", "/x/../a/b", "/../../a/b"])
    func absolute(_ path: String) throws {
        #expect(try Self.directories(path, Self.v2) == ["/a/b"])
        #expect(
            try Self.directories(path, Self.hybrid) == [
                "/blkio/a/b", "/cpu,cpuacct/a/b", "/cpuset/a/b", "/devices/a/b", "/freezer/a/b", "/memory/a/b",
                "/pids/a/b", "/systemd/a/b", "/unified/a/b",
            ]
        )
        #expect(try Self.place(path).isChosen)
    }

    @Test(arguments: ["a/b", "../a/b", "../../../../a/b", "./a/b"])
    func relative(_ path: String) throws {
        #expect(try Self.directories(path, Self.v2) == ["/user.slice/user-0.slice/a/b"])
        #expect(
            try Self.directories(path, Self.hybrid) == [
                "/blkio/a/b", "/cpu,cpuacct/c/a/b", "/cpuset/a/b", "/devices/a/b", "/freezer/a/b", "/memory/a/b",
                "/pids/p/q/a/b", "/systemd/s/a/b", "/unified/a/b",
            ]
        )
    }

    @Test(arguments: [nil, ""])
    func missing(_ path: String?) throws {
        #expect(try Self.directories(path, Self.v2) == ["/user.slice/user-0.slice/x"])
        #expect(try Self.directories(path, Self.hybrid).contains("/pids/p/q/x"))
        #expect(try !Self.place(path).isChosen)
    }

    @Test(arguments: ["/", "/..", ".", "..", "a\nb"])
    func noName(_ path: String) { #expect(throws: EngineError.self) { try Self.place(path) } }

    @Test func nobodysPlace() throws {
        // In a container that sees a part of the tree in which it is not.
        let mounts = "32 31 0:29 /docker/1 /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids"
        let elsewhere = CgroupHierarchyTests.hierarchy(mounts, own: "1:pids:/docker/2\n")
        let error = #expect(throws: EngineError.self) { try Self.place("a", elsewhere) }
        #expect(error?.message == "the caller's own cgroup is not below /sys/fs/cgroup/pids")
        #expect(try Self.place("/a", elsewhere).name.directory(in: "/r") == "/r/a")
        let inside = CgroupHierarchyTests.hierarchy(mounts, own: "1:pids:/docker/1/sub\n")
        #expect(try Self.directories("a", inside) == ["/pids/sub/a"])
        let root = CgroupHierarchyTests.hierarchy(mounts, own: "1:pids:/docker/1\n")
        #expect(try Self.directories("a", root) == ["/pids/a"])
        // Outside of the cgroup namespace's root.
        var outside = Self.v2
        outside.ownPath = "/../other/x"
        #expect(throws: EngineError.self) { try Self.place("a", outside) }
        outside.ownPath = nil
        #expect(throws: EngineError.self) { try Self.place("a", outside) }
    }

    struct Unit: Sendable {
        let path: String?
        let name: String
        let slice: String
        let cgroup: String
    }

    static let units = [
        Unit(path: nil, name: "minirun-x.scope", slice: "system.slice", cgroup: "system.slice/minirun-x.scope"),
        Unit(path: "", name: "minirun-x.scope", slice: "system.slice", cgroup: "system.slice/minirun-x.scope"),
        Unit(path: "a-b.slice:p:n", name: "p-n.scope", slice: "a-b.slice", cgroup: "a.slice/a-b.slice/p-n.scope"),
        Unit(
            path: ":docker:1234",
            name: "docker-1234.scope",
            slice: "system.slice",
            cgroup: "system.slice/docker-1234.scope"
        ),
        Unit(path: "-.slice:p:n", name: "p-n.scope", slice: "-.slice", cgroup: "p-n.scope"),
        Unit(path: "a.slice:p:a-c.slice", name: "a-c.slice", slice: "a.slice", cgroup: "a.slice/a-c.slice"),
        Unit(path: "a.slice::n", name: "-n.scope", slice: "a.slice", cgroup: "a.slice/-n.scope"),
    ]

    @Test(arguments: units.indices)
    func systemd(_ index: Int) throws {
        let expected = Self.units[index]
        let placement = try Self.place(expected.path, systemd: true)
        #expect(placement.unit?.name == expected.name)
        #expect(placement.unit?.slice == expected.slice)
        #expect(placement.name.path == expected.cgroup)
        #expect(placement.unit?.isUnified == true)
        #expect(try Self.place(expected.path, systemd: true, Self.hybrid).unit?.isUnified == false)
    }

    @Test func rootlessSystemd() throws {
        let placement = try Self.place(nil, systemd: true, isRootless: true)
        #expect(placement.unit?.slice == "user.slice")
        #expect(placement.unit?.isUserManager == true)
        #expect(placement.name.path == "user.slice/user-7.slice/user@7.service/user.slice/minirun-x.scope")
        let error = #expect(throws: EngineError.self) {
            try Self.place(nil, systemd: true, Self.hybrid, isRootless: true)
        }
        #expect(error?.message == "cannot use rootless systemd cgroups manager on cgroup v1")
    }

    @Test(arguments: [
        "/a/b": "expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got \"/a/b\" instead",
        "a:b:c:d":
            "expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got \"a:b:c:d\" instead",
        "a:b:c": "invalid slice name: a", "a/b.slice:p:n": "invalid slice name: a/b.slice",
        "-a.slice:p:n": "invalid slice name: -a.slice", "a--b.slice:p:n": "invalid slice name: a--b.slice",
        "a-.slice:p:n": "invalid slice name: a-.slice", ".slice:p:n": "invalid slice name: .slice",
    ])
    func badUnits(_ path: String, _ message: String) {
        let error = #expect(throws: EngineError.self) { try Self.place(path, systemd: true) }
        #expect(error?.message == message)
    }

    @Test func stateFile() throws {
        for placement in [
            try Self.place("a/b", Self.hybrid), try Self.place("/a"),
            try Self.place(nil, systemd: true, isRootless: true),
        ] {
            let text = placement.json.text()
            #expect(try CgroupPlacement(JSON.parse(text)) == placement)
        }
    }
}
