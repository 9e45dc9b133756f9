import LinuxSystem
import OCI
import TestSupport
import Testing

/// podman, which starts the runtime for everything that a container goes through.
@Suite(.enabled(if: PeerEngine.areEnabled), .serialized, .engine(.podman), .withLogs, .timeLimit(.minutes(20)))
enum PodmanTests {}

extension PodmanTests {
    @Suite struct Running {
        let podman: PeerEngine
        init() throws { podman = try engine() }

        @Test func outputAndExitCode() throws {
            let outcome = try podman("run --rm --network none busybox sh -c 'echo out; echo err >&2; exit 7'")
            #expect(outcome.out == "out\n" && outcome.err == "err\n" && outcome.code == 7, "\(outcome)")
        }

        @Test func inputReachesTheProgram() throws {
            let text = String(repeating: "line\n", count: 20_000)
            let outcome = try podman("run --rm -i --network none busybox cat", input: text)
            #expect(outcome.out == text && outcome.code == 0)
        }

        @Test(arguments: [("/nosuch", Int32(127)), ("nosuch", 127), ("/etc/passwd", 126), ("/etc", 126)])
        func aCommandThatCannotStart(command: String, code: Int32) throws {
            let outcome = try podman("run --rm --network none --name refused busybox \(command)")
            #expect(outcome.code == code, "\(outcome)")
            // crun does not always say which command.
            #expect(outcome.err.contains(command) || podman.runtime == "crun", "\(outcome)")
            #expect(try podman("container exists refused").code == 1)
        }

        @Test func detachedWithLogs() throws {
            let id = try podman.must(
                "run -d --network none --name logged busybox sh -c 'echo one; echo two >&2; exit 3'"
            )
            #expect(id.count == 64)
            #expect(try podman.must("wait logged") == "3")
            let logs = try podman("logs logged")
            #expect(logs.out == "one\n" && logs.err == "two\n", "\(logs)")
            let state = try podman.json("inspect logged")["State"]
            #expect(state?["Status"]?.string == "exited" && state?["ExitCode"]?.int == 3)
            try podman.must("rm logged")
            #expect(try podman("container exists logged").code == 1)
        }

        @Test func createdThenStarted() throws {
            try podman.must("create --network none --name created busybox sh -c 'echo started; exit 4'")
            #expect(try podman.must("inspect --format '{{.State.Status}}' created") == "created")
            let outcome = try podman("start --attach created")
            #expect(outcome.out == "started\n" && outcome.code == 4, "\(outcome)")
            // A second life.
            #expect(try podman("start --attach created").code == 4)
            try podman.must("rm created")
        }

        @Test func initializedThenStarted() throws {
            // `init` leaves the runtime's container in the state between `create` and `start`.
            try podman.must("create --network none --name initialized busybox echo go")
            try podman.must("init initialized")
            #expect(try podman.must("inspect --format '{{.State.Status}}' initialized") == "initialized")
            #expect(try podman("start --attach initialized").out == "go\n")
            try podman.must("rm initialized")
            try podman.must("create --network none --name unstarted busybox echo go")
            try podman.must("init unstarted")
            try podman.must("rm --force --time 0 unstarted")
        }

        @Test func inspectTellsOfTheRuntime() throws {
            try podman.must("run -d --network none --name inspected busybox sleep 1000")
            let inspected = try podman.json("inspect inspected")
            #expect(inspected["State"]?["Status"]?.string == "running")
            #expect(try #require(inspected["State"]?["Pid"]?.int) > 1)
            #expect(inspected["OCIRuntime"]?.string == podman.runtime)
            #expect(try podman.must("ps --format '{{.Names}} {{.Status}}'").contains("inspected Up"))
            try podman.must("rm --force --time 0 inspected")
        }

        @Test func aRestartPolicyIsCounted() throws {
            try podman.must(
                "run -d --network none --name restarted --restart on-failure:2 busybox sh -c 'echo life; exit 1'"
            )
            var state = ""
            let ended = try eventually {
                state = try podman.must("inspect --format '{{.RestartCount}} {{.State.Status}}' restarted")
                return state == "2 exited"
            }
            #expect(ended, "\(state)")
            #expect(try podman("logs restarted").lines == ["life", "life", "life"])
            try podman.must("rm restarted")
        }

        @Test func manyAtOnce() throws {
            try podman.inside(
                "for i in $(seq 10); do podman run -d --network none --name many$i busybox sleep 1000 & done; wait"
            )
            #expect(try podman("ps --quiet --filter name=many").lines.count == 10)
            try podman.inside("for i in $(seq 10); do podman rm --force --time 0 many$i & done; wait")
            #expect(try podman("ps --all --quiet --filter name=many").out == "")
        }

        @Test func descriptorsArePassedOn() throws {
            let file = try podman.write("three", "from descriptor 3\n")
            let outcome = try podman(
                "run --rm --network none --preserve-fds 1 busybox sh -c 'cat <&3' 3< \(file)"
            )
            #expect(outcome.out == "from descriptor 3\n", "\(outcome)")
        }

        @Test func filesAreCopiedInAndOut() throws {
            try podman.must("run -d --network none --name copied busybox sleep 1000")
            let file = try podman.write("in", "copied\n")
            try podman.must("cp \(file) copied:/tmp/in")
            #expect(try podman.must("exec copied cat /tmp/in") == "copied")
            try podman.must("cp copied:/etc/passwd \(podman.path("out"))")
            #expect(try Files.readText(podman.path("out")).hasPrefix("root:"))
            // Pauses the container meanwhile.
            try podman.must("commit --quiet copied localhost/committed")
            #expect(try podman("run --rm --network none localhost/committed cat /tmp/in").out == "copied\n")
            try podman.must("rm --force --time 0 copied")
        }
    }

    @Suite struct Exec {
        let podman: PeerEngine
        init() throws { podman = try engine() }

        @Test func runsBesideTheProgram() throws {
            try podman.must("run -d --network none --name beside --hostname inside -e ONE=1 busybox sleep 1000")
            let outcome = try podman("exec beside sh -c 'echo out; echo err >&2; exit 9'")
            #expect(outcome.out == "out\n" && outcome.err == "err\n" && outcome.code == 9, "\(outcome)")
            #expect(try podman("exec -i beside cat", input: "typed").out == "typed")
            #expect(
                try podman("exec -u app -w /home -e TWO=2 beside sh -c 'id -u; pwd; echo $ONE$TWO; hostname'").lines
                    == ["1000", "/home", "12", "inside"]
            )
            // The same namespaces, and no more rights than the program.
            for namespace in ["mnt", "pid", "net", "ipc", "uts"] {
                let both = try podman(
                    "exec beside sh -c 'readlink /proc/1/ns/\(namespace); readlink /proc/self/ns/\(namespace)'"
                ).lines
                #expect(both.count == 2 && both[0] == both[1], "\(namespace): \(both)")
            }
            let status = try podman(
                "exec beside grep -hE '^(CapEff|Seccomp|NoNewPrivs):' /proc/1/status /proc/self/status"
            )
            #expect(status.lines.count == 6 && Array(status.lines[..<3]) == Array(status.lines[3...]), "\(status)")
            try podman.must("rm --force --time 0 beside")
        }

        @Test func refusesWhatCannotStart() throws {
            try podman.must("run -d --network none --name refusing busybox sleep 1000")
            #expect(try podman("exec refusing /nosuch").code == 127)
            #expect(try podman("exec refusing nosuch").code == 127)
            #expect(try podman("exec refusing /etc/passwd").code == 126)
            #expect(try podman("exec refusing true").code == 0)
            try podman.must("rm --force --time 0 refusing")
            #expect(try podman("exec refusing true").code == 125)
        }

        @Test func detached() throws {
            try podman.must("run -d --network none --name detached busybox sleep 1000")
            try podman.must("exec -d detached sh -c 'echo done > /tmp/done; sleep 1000'")
            #expect(try eventually { try podman("exec detached cat /tmp/done").out == "done\n" })
            // It goes with the container.
            try podman.must("rm --force --time 0 detached")
        }

        @Test func privileged() throws {
            try podman.must("run -d --network none --name privileged busybox sleep 1000")
            let plain = try podman.must("exec privileged grep CapEff /proc/self/status")
            let all = try podman.must("exec --privileged privileged grep CapEff /proc/self/status")
            #expect(plain != all && all.contains("fffff"), "\(plain) \(all)")
            try podman.must("rm --force --time 0 privileged")
        }

        @Test func onATerminal() throws {
            try podman.must("run -d --network none --name typed busybox sleep 1000")
            let session = try podman.onTerminal("exec -it typed sh", columns: 91, rows: 31)
            // What is typed before the shell has set its terminal up is lost.
            session.expect("/ #")
            try session.type("stty size; tty\n")
            session.expect("31 91")
            session.expect("/dev/pts/0")
            try session.resize(columns: 77, rows: 22)
            #expect(try resized(session, to: "22 77"))
            try session.type("exit 5\n")
            #expect(try session.wait() == .exited(5))
            try podman.must("rm --force --time 0 typed")
        }
    }

    @Suite struct Terminal {
        let podman: PeerEngine
        init() throws { podman = try engine() }

        @Test func theProgramHasATerminal() throws {
            let session = try podman.onTerminal(
                "run --rm -it --network none busybox sh -c 'tty; test -c /dev/console && echo console; exit 6'"
            )
            session.expect("/dev/pts/0\r\n")
            session.expect("console\r\n")
            #expect(try session.wait() == .exited(6))
        }

        @Test func theSizeFollows() throws {
            let session = try podman.onTerminal("run --rm -it --network none busybox sh", columns: 101, rows: 37)
            session.expect("#")
            try session.type("stty size\n")
            session.expect("37 101")
            try session.resize(columns: 90, rows: 20)
            #expect(try resized(session, to: "20 90"))
            try session.type("exit 3\n")
            #expect(try session.wait() == .exited(3))
        }

        @Test func controlCInterruptsTheProgram() throws {
            let session = try podman.onTerminal("run --rm -it --network none busybox sh")
            session.expect("#")
            try session.type("sleep 1000\n")
            session.expect("sleep 1000\r\n")
            #expect(try eventually { try podman.inside("pgrep -x sleep -a").out.contains("1000") })
            try session.type("\u{3}")
            session.expect("^C")
            try session.type("echo alive; exit 4\n")
            session.expect("alive\r\n")
            #expect(try session.wait() == .exited(4))
        }

        @Test func leavesAndComesBack() throws {
            let session = try podman.onTerminal("run -it --network none --name left busybox sh")
            session.expect("#")
            try session.typeKeys("\u{10}\u{11}")
            #expect(try session.wait() == .exited(0))
            let again = try podman.onTerminal("attach left")
            try again.type("echo back; exit 2\n")
            again.expect("back\r\n")
            #expect(try again.wait() == .exited(0))
            #expect(try podman.must("wait left") == "2")
            try podman.must("rm left")
        }
    }
}
