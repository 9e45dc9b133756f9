import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// Limits that bite: memory, processes, processor time, ulimits, sysctls.
@Suite(.enabled(if: Minirun.isEnabled), .timeLimit(.minutes(20))) struct LimitTests {
    let minirun: Minirun
    init() throws { minirun = try Minirun() }

    @Test func memory() throws {
        #expect(try minirun.guest("alloc", "16", options: ["-m", "64m"]) == "16 ok")
        let outcome = try minirun(
            "run",
            "--report=json",
            "-m",
            "32m",
            "--memory-swap",
            "32m",
            Fixtures.guest,
            "alloc",
            "200"
        )
        #expect(outcome.code == 137)
        let report = try JSON.parse(Array(outcome.err.utf8))
        #expect(report["reason"]?.string == "killed for want of memory (limit reached)", "\(outcome.err)")
        #expect(report["memory"]?["limitBytes"]?.int == 32 << 20)
        let state = try JSON.parse(
            try Files.read("\(minirun.root)/containers/\(#require(minirun.containers.first))/state.json")
        )
        #expect(
            state.text().contains("\"outOfMemory\":true") || state.text().contains("\"oomKilled\":true"),
            "\(state.text(pretty: true))"
        )
    }

    @Test func aChildOutOfMemoryIsNotTheEnd() throws {
        let outcome = try minirun.shell(
            "/guest alloc 200; echo $?",
            "-m",
            "32m",
            "--memory-swap",
            "32m",
            "-v",
            "\(Fixtures.guestProgram):/guest"
        )
        #expect(outcome.lines.last == "137" && outcome.code == 0, "\(outcome)")
    }

    @Test func processes() throws {
        let line = try minirun.guest("fork", "50", options: ["--pids-limit", "20"])
        #expect(line == "19 EAGAIN")
        #expect(try minirun.guest("fork", "50") == "50 ok")
        #expect(try minirun.guest("fork", "50", options: ["--pids-limit", "-1"]) == "50 ok")
    }

    @Test func processorTime() throws {
        let script =
            "cat /sys/fs/cgroup/cpu.max 2>/dev/null || cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu/cpu.cfs_period_us"
        #expect(
            try minirun.shell(script, "--cpus", "0.25").out.split { $0 == " " || $0 == "\n" } == ["25000", "100000"]
        )
        let milliseconds = try #require(Int(minirun.guest("burn", "200", options: ["--cpus", "0.25"])))
        #expect(milliseconds > 450)
        let shares = "cat /sys/fs/cgroup/cpu.weight 2>/dev/null || cat /sys/fs/cgroup/cpu/cpu.shares"
        #expect(["512", "59"].contains(try minirun.shell(shares, "--cpu-shares", "512").line))
        #expect(try minirun.report("--cpuset-cpus", "0")["scheduler"]["processors"]?.string == "0")
        #expect(try minirun("run", "--rm", "--cpuset-cpus", "4000", Fixtures.guest).code == 125)
    }

    @Test func resourceLimits() throws {
        let limits = try minirun.report("--ulimit", "nofile=100:200", "--ulimit", "core=0", "--ulimit", "stack=-1")[
            "rlimits"
        ]
        #expect(limits["nofile"]?["soft"]?.int == 100 && limits["nofile"]?["hard"]?.int == 200)
        #expect(limits["core"]?["hard"]?.int == 0)
        #expect(limits["stack"]?["soft"]?.string == "unlimited")
        #expect(try minirun("run", "--rm", "--ulimit", "nofile=200:100", Fixtures.guest).code == 125)
        #expect(try minirun("run", "--rm", "--ulimit", "nosuch=1", Fixtures.guest).code == 125)
    }

    @Test func sysctls() throws {
        let options = [
            "--sysctl", "net.core.somaxconn=77", "--sysctl", "kernel.msgmax=9000", "--sysctl", "net.ipv4.ip_forward=1",
        ]
        let settings = try GuestReport(minirun.invoke(["run", "--rm"] + options + [Fixtures.guest]))["sysctls"]
        #expect(settings["net.core.somaxconn"]?.string == "77" && settings["kernel.msgmax"]?.string == "9000")
        #expect(settings["net.ipv4.ip_forward"]?.string == "1")
        for refused in [
            "kernel.core_pattern=x", "vm.swappiness=1", "kernel.hostname=x", "net/../kernel/core_pattern=x",
            "net.ipv4.nosuch=1",
        ] {
            let outcome = try minirun("run", "--rm", "--sysctl", refused, Fixtures.guest)
            #expect(outcome.code == 125, "\(refused): \(outcome)")
        }
        #expect(try Files.readText("/proc/sys/kernel/core_pattern") != "x\n")
    }

    @Test func theKillersScore() throws {
        #expect(try minirun.report("--oom-score-adj", "321")["oom_score_adj"].int == 321)
    }
}
