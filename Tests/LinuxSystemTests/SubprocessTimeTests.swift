import CLinux
import LinuxSystem
import Testing

/// Other programs, and the time that they are given.
@Suite struct SubprocessTimeTests {
    @Test func aChildThatClosesItsOutputsAndStaysIsEnded() throws {
        let began = Clock.monotonic
        let result = try Subprocess.run(["sh", "-c", "exec sleep 600 >&- 2>&- <&-"], timeout: 300)
        #expect(result.timedOut && result.status == .signalled(SIGKILL))
        #expect(Clock.monotonic - began < 20_000_000_000)
    }

    @Test func aChildThatClosesItsOutputsMayEndByItself() throws {
        let result = try Subprocess.run(["sh", "-c", "exec >&- 2>&- <&-; exit 3"], timeout: 20_000)
        #expect(!result.timedOut && result.status == .exited(3))
    }

    @Test(arguments: [Int.max, Int.max / 1000, 1 << 31, 1 << 32]) func aLongTimeIsNoShortOne(timeout: Int) throws {
        let result = try Subprocess.run(["sh", "-c", "sleep 0.1; echo x; exit 5"], timeout: timeout)
        #expect(!result.timedOut && result.status == .exited(5) && result.outputText == "x\n")
    }

    @Test(arguments: [0, -1, Int.min]) func noTimeIsNone(timeout: Int) throws {
        #expect(try Subprocess.run(["sleep", "600"], timeout: timeout).timedOut)
    }
}
