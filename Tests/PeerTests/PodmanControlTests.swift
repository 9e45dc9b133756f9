import LinuxSystem
import OCI
import TestSupport
import Testing

extension PodmanTests {
    /// What is done to a container that runs.
    @Suite struct Control {
        let podman: PeerEngine
        init() throws { podman = try engine() }

        @Test func stopAsksFirst() throws {
            try podman.must(
                "run -d --network none --name polite busybox sh -c 'trap \"echo bye; exit 8\" TERM; echo ready; while :; do sleep 0.1; done'"
            )
            #expect(try eventually { try podman("logs polite").out == "ready\n" })
            try podman.must("stop --time 20 polite")
            #expect(try podman("logs polite").out == "ready\nbye\n")
            #expect(try podman.must("inspect --format '{{.State.ExitCode}}' polite") == "8")
            try podman.must("rm polite")
        }

        @Test func stopKillsWhoDoesNotListen() throws {
            try podman.must("run -d --network none --name deaf busybox sh -c 'trap \"\" TERM; echo ready; sleep 1000'")
            #expect(try eventually { try podman("logs deaf").out == "ready\n" })
            let began = Clock.monotonic
            try podman.must("stop --time 1 deaf")
            let took = (Clock.monotonic - began) / 1_000_000
            #expect(took >= 1000 && took < 5000, "\(took) ms")
            #expect(try podman.must("inspect --format '{{.State.ExitCode}}' deaf") == "137")
            try podman.must("rm deaf")
        }

        @Test func signalsArrive() throws {
            try podman.must(
                """
                run -d --network none --name signalled --stop-signal USR2 busybox \
                sh -c 'trap "echo USR1" USR1; trap "echo USR2; exit 0" USR2; echo ready; while :; do sleep 0.1; done'
                """
            )
            #expect(try eventually { try podman("logs signalled").out == "ready\n" })
            try podman.must("kill --signal USR1 signalled")
            #expect(try eventually { try podman("logs signalled").out == "ready\nUSR1\n" })
            try podman.must("kill --signal 10 signalled")
            #expect(try eventually { try podman("logs signalled").out == "ready\nUSR1\nUSR1\n" })
            try podman.must("stop signalled")
            #expect(try podman("logs signalled").lines.last == "USR2")
            #expect(try podman.must("inspect --format '{{.State.ExitCode}}' signalled") == "0")
            #expect(try podman("kill signalled").code == 125)
            try podman.must("rm signalled")
        }

        @Test func killEndsEveryProcess() throws {
            try podman.must("run -d --network none --name family busybox sh -c 'sleep 1234 & sleep 1235 & wait'")
            #expect(try eventually { try podman.inside("pgrep -fx 'sleep 123[45]'").lines.count == 2 })
            try podman.must("kill family")
            #expect(try podman.must("wait family") == "137")
            #expect(try podman.inside("pgrep -fx 'sleep 123[45]'").out == "")
            try podman.must("rm family")
        }

        @Test func aPausedContainerStandsStill() throws {
            try podman.must(
                "run -d --network none --name paused busybox sh -c 'while :; do echo tick >> /ticks; sleep 0.02; done'"
            )
            try podman.must("pause paused")
            #expect(try podman.must("inspect --format '{{.State.Status}}' paused") == "paused")
            let state = try podman.limit(of: "paused", "freezer/freezer.state", "cgroup.freeze")
            #expect(state == "FROZEN" || state == "1", "\(state)")
            #expect(try podman("exec paused true").code != 0)
            #expect(try podman("pause paused").code != 0)
            try podman.must("unpause paused")
            let ticks = try podman.must("exec paused wc -l /ticks")
            #expect(try eventually { try podman.must("exec paused wc -l /ticks") != ticks })
            // Killing one that is frozen works, too.
            try podman.must("pause paused")
            try podman.must("rm --force --time 0 paused")
        }

        @Test func restart() throws {
            try podman.must("run -d --network none --name twice busybox sh -c 'echo life; sleep 1000'")
            let first = try podman.pid(of: "twice")
            try podman.must("restart --time 0 twice")
            #expect(try podman.pid(of: "twice") != first)
            #expect(try eventually { try podman("logs twice").lines == ["life", "life"] })
            try podman.must("rm --force --time 0 twice")
        }

        @Test func healthchecks() throws {
            try podman.must(
                """
                run -d --network none --name checked --health-cmd 'test -e /healthy' --health-interval disable \
                --health-retries 1 busybox sleep 1000
                """
            )
            #expect(try podman("healthcheck run checked").code == 1)
            #expect(try podman.must("inspect --format '{{.State.Healthcheck.Status}}' checked") == "unhealthy")
            try podman.must("exec checked touch /healthy")
            #expect(try podman("healthcheck run checked").code == 0)
            #expect(try podman.must("inspect --format '{{.State.Healthcheck.Status}}' checked") == "healthy")
            try podman.must("rm --force --time 0 checked")
        }

        @Test func topAndStats() throws {
            try podman.must("run -d --network none --name watched --memory 64m busybox sleep 1000")
            let top = try podman.must("top watched pid comm").split(separator: "\n")
            #expect(top.count == 2 && top.last?.hasSuffix("sleep") == true, "\(top)")
            let stats = try podman.json("stats --no-stream --format json watched")
            #expect(stats["pids"]?.string == "1", "\(stats.text())")
            #expect(stats["mem_usage"]?.string?.hasSuffix("/ 67.11MB") == true, "\(stats.text())")
            try podman.must("rm --force --time 0 watched")
        }

        @Test func update() throws {
            try podman.must("run -d --network none --name updated --memory 64m busybox sleep 1000")
            try podman.must("update --memory 32m --cpus 0.25 updated")
            #expect(
                try podman.limit(of: "updated", "memory/memory.limit_in_bytes", "memory.max") == "\(32 << 20)"
            )
            #expect(
                try ["25000", "25000 100000"].contains(podman.limit(of: "updated", "cpu/cpu.cfs_quota_us", "cpu.max"))
            )
            try podman.must("rm --force --time 0 updated")
        }

        @Test func hooksAreRun() throws {
            let log = podman.path("hooks/log")
            let hook = try podman.write(
                "hooks/hook",
                "#!/bin/sh\necho \"$1 $(grep -oE '\"status\": ?\"[a-z]+\"' | tr -d ' ')\" >> \(log)\n",
                mode: 0o755
            )
            for stage in ["prestart", "createRuntime", "poststart", "poststop"] {
                try podman.write(
                    "hooks/\(stage).json",
                    """
                    {"version": "1.0.0", "hook": {"path": "\(hook)", "args": ["hook", "\(stage)"]},
                     "when": {"always": true}, "stages": ["\(stage)"]}
                    """
                )
            }
            try podman.must("--hooks-dir \(podman.path("hooks")) run --network none --name hooked busybox true")
            try podman.must("--hooks-dir \(podman.path("hooks")) rm hooked")
            let lines = try Files.readText(log).split(separator: "\n").map(String.init)
            #expect(lines.map { $0.prefix { $0 != " " } } == ["prestart", "createRuntime", "poststart", "poststop"])
            #expect(lines.allSatisfy { $0.contains("\"status\":") }, "\(lines)")
        }
    }
}
