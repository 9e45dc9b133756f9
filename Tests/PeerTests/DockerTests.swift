import LinuxSystem
import OCI
import TestSupport
import Testing

/// dockerd and its containerd, with the runtime as `minirun`, the default one.
@Suite(.enabled(if: PeerEngine.areEnabled), .serialized, .engine(.docker), .withLogs, .timeLimit(.minutes(20)))
enum DockerTests {}

extension DockerTests {
    @Suite struct Running {
        let docker: PeerEngine
        init() throws { docker = try engine() }

        @Test func outputAndExitCode() throws {
            let outcome = try docker("run --rm --network none busybox sh -c 'echo out; echo err >&2; exit 7'")
            #expect(outcome.out == "out\n" && outcome.err == "err\n" && outcome.code == 7, "\(outcome)")
            let text = String(repeating: "line\n", count: 20_000)
            #expect(try docker("run --rm -i --network none busybox cat", input: text).out == text)
        }

        @Test(arguments: [("/nosuch", Int32(127)), ("nosuch", 127), ("/etc/passwd", 126), ("/etc", 126)])
        func aCommandThatCannotStart(command: String, code: Int32) throws {
            let outcome = try docker("run --rm --network none --name refused busybox \(command)")
            // docker takes the code from runc's words, in small letters; crun has others, and of a folder newer runcs say what
            // only a newer docker understands.
            let isUnknown = docker.runtime == "crun" || outcome.err.contains("is a directory")
            #expect(outcome.code == code || isUnknown && outcome.code == 125, "\(outcome)")
            #expect(outcome.err.contains("OCI runtime create failed"), "\(outcome)")
            #expect(try eventually { try docker("inspect refused").code == 1 })
        }

        @Test func detachedWithLogs() throws {
            try docker.must("run -d --network none --name logged busybox sh -c 'echo one; echo two >&2; exit 3'")
            #expect(try docker.must("wait logged") == "3")
            let logs = try docker("logs logged")
            #expect(logs.out == "one\n" && logs.err == "two\n", "\(logs)")
            let inspected = try docker.json("inspect logged")
            #expect(inspected["State"]?["Status"]?.string == "exited" && inspected["State"]?["ExitCode"]?.int == 3)
            #expect(inspected["HostConfig"]?["Runtime"]?.string == "minirun")
            // A second life.
            #expect(try docker("start --attach logged").code == 3)
            try docker.must("rm logged")
        }

        @Test func theRuntimeIsChosenByName() throws {
            #expect(try docker("run --rm --network none --runtime minirun busybox echo chosen").out == "chosen\n")
            #expect(try docker("run --rm --network none --runtime nosuch busybox true").code == 125)
            #expect(try docker.must("info --format '{{.DefaultRuntime}}'") == "minirun")
        }

        @Test func exec() throws {
            try docker.must("run -d --network none --name beside -e ONE=1 busybox sleep 1000")
            let outcome = try docker("exec beside sh -c 'echo out; echo err >&2; exit 9'")
            #expect(outcome.out == "out\n" && outcome.err == "err\n" && outcome.code == 9, "\(outcome)")
            #expect(try docker("exec -i beside cat", input: "typed").out == "typed")
            let options = try docker("exec -u app -w /home -e TWO=2 beside sh -c 'id -u; pwd; echo $ONE$TWO'")
            #expect(options.lines == ["1000", "/home", "12"], "\(options)")
            // This docker answers with 126 to whatever does not start.
            for command in ["/nosuch", "nosuch", "/etc/passwd"] {
                let refused = try docker("exec beside \(command)")
                #expect(refused.code == 126 && refused.out.contains("OCI runtime exec failed"), "\(refused)")
            }
            try docker.must("exec -d beside sh -c 'echo done > /tmp/done'")
            #expect(try eventually { try docker("exec beside cat /tmp/done").out == "done\n" })
            try docker.must("rm --force beside")
        }

        @Test func stopAsksFirst() throws {
            try docker.must(
                """
                run -d --network none --name polite busybox \
                sh -c 'trap "echo bye; exit 8" TERM; echo ready; while :; do sleep 0.1; done'
                """
            )
            #expect(try eventually { try docker("logs polite").out == "ready\n" })
            try docker.must("stop --time 20 polite")
            #expect(try docker("logs polite").out == "ready\nbye\n")
            #expect(try docker.must("inspect --format '{{.State.ExitCode}}' polite") == "8")
            try docker.must("rm polite")
        }

        @Test func stopKillsWhoDoesNotListen() throws {
            try docker.must("run -d --network none --name deaf busybox sh -c 'trap \"\" TERM; echo ready; sleep 1000'")
            #expect(try eventually { try docker("logs deaf").out == "ready\n" })
            try docker.must("stop --time 1 deaf")
            #expect(try docker.must("inspect --format '{{.State.ExitCode}}' deaf") == "137")
            try docker.must("rm deaf")
        }

        @Test func signalsArrive() throws {
            try docker.must(
                """
                run -d --network none --name signalled busybox \
                sh -c 'trap "echo USR1" USR1; trap "exit 4" USR2; echo ready; while :; do sleep 0.1; done'
                """
            )
            #expect(try eventually { try docker("logs signalled").out == "ready\n" })
            try docker.must("kill --signal USR1 signalled")
            #expect(try eventually { try docker("logs signalled").out == "ready\nUSR1\n" })
            try docker.must("kill --signal USR2 signalled")
            #expect(try docker.must("wait signalled") == "4")
            #expect(try docker("kill signalled").code == 1)
            try docker.must("rm signalled")
        }

        @Test func pauseTopAndStats() throws {
            try docker.must("run -d --network none --name watched --memory 64m busybox sleep 1000")
            let top = try docker.must("top watched").split(separator: "\n")
            #expect(top.count == 2 && top.last?.contains("sleep 1000") == true, "\(top)")
            let stats = try docker.json("stats --no-stream --format '{{json .}}' watched")
            #expect(stats["PIDs"]?.string == "1", "\(stats.text())")
            #expect(stats["MemUsage"]?.string?.hasSuffix("/ 64MiB") == true, "\(stats.text())")

            try docker.must("pause watched")
            #expect(try docker.must("inspect --format '{{.State.Status}}' watched") == "paused")
            let state = try docker.limit(of: "watched", "freezer/freezer.state", "cgroup.freeze")
            #expect(state == "FROZEN" || state == "1", "\(state)")
            #expect(try docker("exec watched true").code != 0)
            try docker.must("unpause watched")
            #expect(try docker("exec watched true").code == 0)
            try docker.must("rm --force watched")
        }

        @Test func limitsAndTheirUpdate() throws {
            try docker.must(
                "run -d --network none --name limited --memory 64m --pids-limit 20 --cpus 0.5 busybox sleep 1000"
            )
            let memory = ("memory/memory.limit_in_bytes", "memory.max")
            #expect(try docker.limit(of: "limited", memory.0, memory.1) == "\(64 << 20)")
            #expect(try docker.limit(of: "limited", "pids/pids.max", "pids.max") == "20")
            let quota = ("cpu/cpu.cfs_quota_us", "cpu.max")
            #expect(try ["50000", "50000 100000"].contains(docker.limit(of: "limited", quota.0, quota.1)))
            try docker.must("update --memory 32m --memory-swap 32m --cpus 0.25 --pids-limit 33 limited")
            #expect(try docker.limit(of: "limited", memory.0, memory.1) == "\(32 << 20)")
            #expect(try docker.limit(of: "limited", "pids/pids.max", "pids.max") == "33")
            #expect(try ["25000", "25000 100000"].contains(docker.limit(of: "limited", quota.0, quota.1)))
            try docker.must("rm --force limited")
        }

        @Test func tooMuchMemory() throws {
            // The hungry one is not the first process: docker hears of the end and of the memory by two ways, and takes only what it
            // has heard before the end.
            try docker.must(
                "run -d --network none --name hungry --memory 16m --memory-swap 16m busybox "
                    + "sh -c 'tail /dev/zero; exec sleep 1000'"
            )
            #expect(
                try eventually {
                    let now = Clock.realtime / 1_000_000_000 + 1
                    return try docker.must(
                        "events --since 0 --until \(now) --filter event=oom --filter container=hungry"
                    ).contains("oom")
                }
            )
            try docker.must("kill hungry")
            #expect(try docker.must("wait hungry") == "137")
            #expect(try docker.must("inspect --format '{{.State.OOMKilled}}' hungry") == "true")
            try docker.must("rm hungry")
        }

        @Test func restartOnFailureIsCounted() throws {
            try docker.must(
                "run -d --network none --name failing --restart on-failure:2 busybox sh -c 'echo life; exit 1'"
            )
            var state = ""
            let ended = try eventually {
                state = try docker.must("inspect --format '{{.RestartCount}} {{.State.Status}}' failing")
                return state == "2 exited"
            }
            #expect(ended, "\(state)")
            #expect(try docker("logs failing").lines == ["life", "life", "life"])
            try docker.must("rm failing")
        }

        @Test func restartAlwaysAfterItWasKilled() throws {
            try docker.must("run -d --network none --name lasting --restart always busybox sleep 1000")
            let first = try docker.pid(of: "lasting")
            // From outside, since the engine leaves alone what it has killed itself.
            try docker.inside("kill -KILL \(first)")
            let again = try eventually {
                let state = try docker.must(
                    "inspect --format '{{.RestartCount}} {{.State.Running}} {{.State.Pid}}' lasting"
                )
                return state.hasPrefix("1 true") && state != "1 true \(first)"
            }
            #expect(again)
            try docker.must("rm --force lasting")
        }

        @Test func healthchecks() throws {
            try docker.must(
                """
                run -d --network none --name checked --health-cmd 'test -e /healthy' --health-interval 300ms \
                --health-retries 1 busybox sleep 1000
                """
            )
            let status = "inspect --format '{{.State.Health.Status}}' checked"
            #expect(try eventually { try docker.must(status) == "unhealthy" })
            try docker.must("exec checked touch /healthy")
            #expect(try eventually { try docker.must(status) == "healthy" })
            try docker.must("rm --force checked")
        }

        @Test func manyAtOnce() throws {
            try docker.inside(
                "for i in $(seq 10); do docker run -d --network none --name many$i busybox sleep 1000 & done; wait"
            )
            #expect(try docker("ps --quiet --filter name=many").lines.count == 10)
            try docker.inside("for i in $(seq 10); do docker exec many$i touch /tmp/x & done; wait")
            #expect(try docker("exec many10 ls /tmp/x").code == 0)
            try docker.inside("for i in $(seq 10); do docker rm --force many$i & done; wait")
            #expect(try docker("ps --all --quiet --filter name=many").out == "")
        }

        @Test func filesAreCopied() throws {
            try docker.must("run -d --network none --name copied busybox sleep 1000")
            let file = try docker.write("in", "copied\n")
            try docker.must("cp \(file) copied:/tmp/in")
            #expect(try docker.must("exec copied cat /tmp/in") == "copied")
            // Pauses the container meanwhile.
            try docker.must("commit copied committed")
            #expect(try docker("run --rm --network none committed cat /tmp/in").out == "copied\n")
            try docker.must("rm --force copied")
            try docker.must("rmi committed")
        }
    }

    @Suite struct Terminal {
        let docker: PeerEngine
        init() throws { docker = try engine() }

        @Test func theSizeFollows() throws {
            let session = try docker.onTerminal("run --rm -it --network none busybox sh", columns: 101, rows: 37)
            session.expect("#")
            try session.type("tty\n")
            session.expect("/dev/pts/0")
            // docker sets the size when it has attached, which may be after the prompt.
            #expect(try resized(session, to: "37 101"))
            try session.resize(columns: 90, rows: 20)
            #expect(try resized(session, to: "20 90"))
            try session.type("exit 3\n")
            #expect(try session.wait() == .exited(3))
        }

        @Test func exec() throws {
            try docker.must("run -d --network none --name typed busybox sleep 1000")
            let session = try docker.onTerminal("exec -it typed sh", columns: 91, rows: 31)
            session.expect("#")
            #expect(try resized(session, to: "31 91"))
            try session.type("exit 5\n")
            #expect(try session.wait() == .exited(5))
            try docker.must("rm --force typed")
        }

        @Test func leavesAndComesBack() throws {
            let session = try docker.onTerminal("run -it --network none --name left busybox sh")
            session.expect("#")
            try session.typeKeys("\u{10}\u{11}")
            #expect(try session.wait() == .exited(0))
            let again = try docker.onTerminal("attach left")
            try again.type("echo back; exit 2\n")
            again.expect("back\r\n")
            #expect(try again.wait() == .exited(2))
            try docker.must("rm left")
        }
    }

    @Suite struct Isolation {
        let docker: PeerEngine
        init() throws { docker = try engine() }

        private func status(_ field: String, _ options: String) throws -> String {
            let line = try docker.must("run --rm --network none \(options) busybox grep '^\(field):' /proc/self/status")
            return String(line.dropFirst(field.count + 1).drop { $0 == "\t" })
        }

        @Test func security() throws {
            #expect(try status("CapEff", "--cap-drop all --cap-add NET_ADMIN") == "0000000000001000")
            #expect(try status("CapEff", "--user 1000") == "0000000000000000")
            #expect(try status("NoNewPrivs", "--security-opt no-new-privileges") == "1")
            #expect(try status("Seccomp", "") == "2")
            #expect(try status("Seccomp", "--security-opt seccomp=unconfined") == "0")
        }

        @Test func fileSystems() throws {
            try docker.write("bound/file", "from the host\n")
            let folder = docker.path("bound")
            let outcome = try docker(
                """
                run --rm --network none --read-only --tmpfs /scratch:size=1m,mode=750 -v \(folder):/ro:ro -v \(folder):/rw \
                -v named:/volume busybox sh -c 'cat /ro/file; touch /ro/x /x; echo 1 > /rw/new; echo 2 > /volume/x; \
                stat -c %a /scratch'
                """
            )
            #expect(outcome.lines == ["from the host", "750"], "\(outcome)")
            #expect(outcome.err.contains("/ro/x: Read-only") && outcome.err.contains("/x: Read-only"), "\(outcome)")
            #expect(try Files.readText("\(folder)/new") == "1\n")
            #expect(try docker("run --rm --network none -v named:/volume busybox cat /volume/x").out == "2\n")
            try docker.must("volume rm named")
        }

        @Test func initReapsOrphans() throws {
            let outcome = try docker(
                """
                run --rm --network none --init busybox sh -c \
                'cat /proc/1/comm; (sleep 0.01 &); sleep 0.2; grep -l "^State:.Z" /proc/[0-9]*/status | wc -l; exit 12'
                """
            )
            #expect(outcome.lines == ["docker-init", "0"] && outcome.code == 12, "\(outcome)")
        }

        @Test func namespacesOfOthers() throws {
            try docker.must("run -d --network none --ipc shareable --name other busybox sleep 1000")
            let script = "for n in net pid ipc; do readlink /proc/self/ns/$n; done"
            let outcome = try docker(
                "run --rm --network container:other --pid container:other --ipc container:other busybox sh -c '\(script)'"
            )
            #expect(
                try outcome.lines.count == 3 && outcome.out == docker("exec other sh -c '\(script)'").out,
                "\(outcome)"
            )
            let host = try docker("run --rm --network host --pid host --ipc host busybox sh -c '\(script)'")
            #expect(try host.out == docker.inside(script).out, "\(host)")
            try docker.must("rm --force other")
        }
    }

    @Suite struct Networks {
        let docker: PeerEngine
        init() throws { docker = try engine() }

        /// As compose does it: a network, two services, and each finds the other by its name.
        @Test func containersReachEachOtherByName() throws {
            try docker.must("network create peers")
            let serve = "sh -c 'hostname > /tmp/index.html; httpd -f -p 80 -h /tmp'"
            try docker.must("run -d --network peers --name web --hostname web busybox \(serve)")
            try docker.must("run -d --network peers --name data --hostname data busybox \(serve)")
            for (client, server) in [("web", "data"), ("data", "web")] {
                // The static busybox's wget cannot look names up.
                let answered = try eventually {
                    try docker("exec -i \(client) nc \(server) 80", input: "GET /index.html HTTP/1.0\r\n\r\n").out
                        .hasSuffix("\(server)\n")
                }
                #expect(answered, "\(client) to \(server)")
            }
            try docker.must("rm --force web data")
            try docker.must("network rm peers")
        }

        @Test func aPortIsPublished() throws {
            try docker.must(
                "run -d -p 127.0.0.1:8080:80 --name published busybox sh -c 'echo hi > /tmp/index.html; httpd -f -p 80 -h /tmp'"
            )
            #expect(
                try eventually {
                    try docker.inside("busybox nc 127.0.0.1 8080", input: "GET / HTTP/1.0\r\n\r\n").out.hasSuffix(
                        "hi\n"
                    )
                }
            )
            try docker.must("rm --force published")
        }
    }

    /// `docker build` of the classic builder, whose RUN steps are containers of the default runtime.
    @Suite struct Builds {
        let docker: PeerEngine
        init() throws { docker = try engine() }

        @Test func runSteps() throws {
            try docker.write("context/file", "from the context\n")
            try docker.write(
                "context/Dockerfile",
                """
                FROM busybox
                ARG WHO=nobody
                ENV NAME=value
                WORKDIR /work
                COPY file .
                RUN echo "$WHO $NAME $(pwd)" > made && cat file >> made
                USER app
                RUN ["sh", "-c", "id -un > /tmp/user"]
                CMD ["sh", "-c", "cat made /tmp/user; id -un"]
                """
            )
            let calls = try docker.inside("grep -c ' create ' $PEER_FOLDER/log/runtime.log").line
            try docker.must("build --network none --build-arg WHO=somebody -t built \(docker.path("context"))")
            #expect(try docker.inside("grep -c ' create ' $PEER_FOLDER/log/runtime.log").line != calls)
            #expect(
                try docker("run --rm --network none built").lines
                    == ["somebody value /work", "from the context", "app", "app"]
            )
            try docker.must("rmi built")
        }

        @Test func aStepThatFails() throws {
            try docker.write("failing/Dockerfile", "FROM busybox\nRUN echo before; exit 3\nRUN echo never\n")
            let outcome = try docker("build --network none --force-rm \(docker.path("failing"))")
            #expect(outcome.code != 0 && outcome.out.contains("before"), "\(outcome)")
            #expect(outcome.err.contains("returned a non-zero code: 3"), "\(outcome)")
        }
    }
}
