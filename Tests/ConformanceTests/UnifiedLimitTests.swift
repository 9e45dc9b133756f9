import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// Limits of cgroup v2 that bite, and a part of the tree that is the container's own. Only where v2 has every controller:
/// `Scripts/test-in-vm` runs these, `Scripts/test` leaves them out by their name on other machines.
@Suite(.enabled(if: BlackBox.isEnabled), .serialized, .timeLimit(.minutes(20))) struct UnifiedLimitTests {
    let bundle: Bundle
    init() throws { bundle = try Bundle() }

    @Test func memory() throws {
        bundle.config.set("linux.resources.memory", ["limit": 33_554_432, "swap": 33_554_432])
        bundle.config.set("process.args", ["/guest", "alloc", "16"])
        #expect(try bundle.run().line == "16 ok")
        bundle.config.set("process.args", ["/guest", "alloc", "200"])
        #expect(try bundle.run().code == 137)
    }

    @Test func processes() throws {
        bundle.config.set("linux.resources.pids", ["limit": 5])
        bundle.config.set("process.args", ["/guest", "fork", "50"])
        #expect(try bundle.run().line.hasSuffix("EAGAIN"))
    }

    /// A quarter of a processor takes four times as long for the same work, at the least.
    @Test func processorTime() throws {
        bundle.config.set("linux.resources.cpu", ["quota": 25000, "period": 100_000])
        bundle.config.set("process.args", ["/guest", "burn", "200"])
        #expect(try #require(Int(bundle.run().line)) > 450)
    }

    /// 4 MiB at 1 MiB a second, past the page cache: over two seconds, whatever the kernel lets through at first.
    @Test func writing() throws {
        let device = try FileStatus.of(bundle.folder).device
        let numbers: JSON = [
            "major": .number(linux_major(device)), "minor": .number(linux_minor(device)), "rate": 1_048_576,
        ]
        bundle.config.set("linux.resources.blockIO", ["throttleWriteBpsDevice": .array([numbers])])
        let before = Clock.monotonic
        let outcome = try bundle.run(
            script: "dd if=/dev/zero of=/file bs=262144 count=16 oflag=direct 2>&1"
        )
        let took = (Clock.monotonic - before) / 1_000_000
        #expect(outcome.code == 0 && took > 2000, "\(took) ms: \(outcome)")
    }

    /// The container makes cgroups below its own, with controllers and limits (cgroups(7), delegation).
    @Test func delegation() throws {
        bundle.config.append("mounts", .mount("/sys/fs/cgroup", "cgroup2", "cgroup", ["nosuid", "noexec", "nodev"]))
        bundle.config.set("linux.resources.pids", ["limit": 50])
        let outcome = try bundle.run(
            script: """
                cd /sys/fs/cgroup && mkdir first && echo 1 > first/cgroup.procs && echo +pids > cgroup.subtree_control \
                && mkdir below && echo 1 > below/pids.max && cat below/pids.max /proc/self/cgroup
                sh -c 'echo $$ > below/cgroup.procs; sleep 0; echo forked'
                """
        )
        #expect(outcome.lines.prefix(2) == ["1", "0::/first"], "\(outcome)")
        // Its limit of one process is kept by the kernel.
        #expect(outcome.err.contains("fork"), "\(outcome)")
    }

    /// The eBPF program of the device rules.
    @Test func devices() throws {
        for set in ["bounding", "effective", "permitted"] {
            // CAP_SYSLOG: with it the kernel's log opens for whoever may open the device.
            for name in ["CAP_MKNOD", "CAP_SYSLOG"] {
                bundle.config.append("process.capabilities.\(set)", .string(name))
            }
        }
        let denied = try bundle.run(script: "mknod /kmsg c 1 11 && : < /kmsg")
        #expect(denied.code != 0 && denied.err.contains("Operation not permitted"), "\(denied)")
        bundle.config.append(
            "linux.resources.devices",
            ["allow": true, "type": "c", "major": 1, "minor": 11, "access": "rwm"]
        )
        let allowed = try bundle.run(script: "rm -f /kmsg; mknod /kmsg c 1 11 && : < /kmsg && echo opened")
        #expect(allowed.line == "opened", "\(allowed)")
    }
}
