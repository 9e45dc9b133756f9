import LinuxSystem
import OCI
import TestSupport
import Testing

/// Images of many layers: what the kernel can stack runs, what it cannot is refused, and nothing ends by a signal.
@Suite(.enabled(if: Minirun.isEnabled), .timeLimit(.minutes(20))) struct LayerCountTests {
    /// 1 and 127 fit into mount(2)'s page of options, 229 and 230 are about what does, 500 is the most that overlayfs takes.
    @Test(arguments: [1, 127, 128, 229, 230, 499, 500])
    func whatTheKernelStacks(count: Int) throws {
        let minirun = try Minirun()
        let image = try Fixtures.image(of: count, minirun)
        let outcome = try minirun("run", "--rm", image, "/bin/sh", "-c", "echo > /etc/new && echo runs", timeout: 120)
        #expect(outcome.code == 0 && outcome.line == "runs", "\(outcome)")
    }

    @Test func oneMoreThanTheKernelStacks() throws {
        let minirun = try Minirun()
        let image = try Fixtures.image(of: 501, minirun)
        let outcome = try minirun("run", "--rm", image, "/bin/sh", "-c", "echo runs", timeout: 120)
        #expect((125...127).contains(outcome.code) && outcome.err.contains("500"), "\(outcome)")
    }

    /// Before Linux 6.7 there is but the one page.
    @Test(arguments: [(127, true), (230, false), (500, false)])
    func withoutTheNewerCalls(count: Int, runs: Bool) throws {
        let minirun = try Minirun()
        let image = try Fixtures.image(of: count, minirun)
        let outcome = try LackingKernel.lacking(["fsconfig"]) {
            try minirun("run", "--rm", image, "/bin/sh", "-c", "echo runs", timeout: 120)
        }
        // proc and /dev need the call as well: without it no container runs, so that it is the line which is looked at.
        let says = outcome.err.contains("layers") && outcome.err.contains("500")
        #expect(says == !runs && outcome.code < 128, "\(outcome)")
    }
}
