import Testing

@testable import Runtime

/// What a container without a mount namespace leaves on the host, by the lines of mountinfo.
@Suite struct HostMountsTests {
    private static func lines(_ points: String...) -> String {
        points.enumerated().map { "\($0 + 20) 1 0:5 / \($1) rw shared:3 - tmpfs tmpfs rw\n" }.joined()
    }

    @Test func whatHasComeGoesTheLastFirst() {
        let mounts = HostMounts(root: "/b/rootfs", before: ["/b/rootfs/kept", "/b/rootfs/twice"])
        let now = Self.lines(
            "/",
            "/b/rootfs/kept",
            "/b/rootfs/twice",
            "/b/rootfs/proc",
            "/b/rootfs/dev",
            "/b/rootfs/dev/pts",
            "/b/rootfs/twice",
            "/b/rootfs2/other",
            "/b",
            "/b/rootfs"
        )
        #expect(
            mounts.added(in: now) == [
                "/b/rootfs", "/b/rootfs/twice", "/b/rootfs/dev/pts", "/b/rootfs/dev", "/b/rootfs/proc",
            ]
        )
        #expect(mounts.added(in: Self.lines("/", "/b/rootfs/twice")) == [])
    }

    @Test(arguments: [
        (#"/b/a\040b"#, "/b/a b"), (#"/b/a\134040"#, #"/b/a\040"#), (#"/b/\012"#, "/b/\n"), (#"/b/\1"#, #"/b/\1"#),
        (#"/b/\777"#, #"/b/\777"#), ("/b/\u{e9}", "/b/\u{e9}"),
    ])
    func names(inMountinfo written: String, point: String) {
        #expect(HostMounts.points(below: "/b", in: Self.lines(written)) == [point])
    }

    @Test func linesThatSayNothing() {
        #expect(HostMounts.points(below: "/", in: "\n1 2 3\n1 2 3 4 /x\n") == ["/x"])
    }

    @Test func theStateKeepsThem() {
        let mounts = HostMounts(root: "/r", before: ["/r/a b", "/r/a b"])
        #expect(HostMounts(mounts.json) == mounts && HostMounts(nil) == nil)
    }
}
