import CLinux
import Images
import LinuxSystem
import OCI
import Runner
import Testing

@testable import Build

extension ExecutionTests {
    @Suite("RUN")
    struct Run {
        @Test func changesFiles() throws {
            let trial = try BuildTrial("FROM busybox\nRUN echo hello > /greeting && rm /etc/passwd; echo said\n")
            let image = try trial.build()
            #expect(try trial.read("/greeting", in: image) == "hello\n")
            #expect(try trial.root(of: image).lookup("/etc/passwd") == nil)
            #expect(trial.log == "said\n")
            #expect(try trial.topLayer(of: image) == ["etc/", "etc/.wh.passwd", "greeting"])
            try trial.build()
            #expect(trial.endings.contains { $0.hasPrefix("CACHED [2/2] RUN echo hello") })
        }

        /// Two commands that prune at once: what one has removed the other does not find, which is no error.
        @Test func aCacheIsRemovedOnce() throws {
            let trial = try BuildTrial(
                "FROM busybox\nRUN --mount=type=cache,target=/once,id=removed-once touch /once/x\n"
            )
            try trial.build()
            let caches = CacheMounts(trial.engine.images)
            let entries = try caches.entries()
            #expect(!entries.isEmpty)
            for entry in entries {
                _ = try caches.remove(entry)
                #expect(try !caches.remove(entry))
            }
        }

        @Test func leavesNoStubs() throws {
            let trial = try BuildTrial("FROM busybox\nRUN true\n")
            #expect(try trial.topLayer(of: trial.build()) == [])
        }

        @Test func seesArgumentsAndEnvironment() throws {
            let trial = try BuildTrial(
                """
                FROM busybox
                ARG who=nobody
                ENV greeting="hi there"
                WORKDIR /w
                RUN echo "$greeting, $who" && pwd && hostname && id -u && env | grep -i proxy
                """
            )
            try trial.build { $0.arguments = ["who": "you", "HTTP_PROXY": "http://p:1"] }
            #expect(
                trial.log
                    == "hi there, you\n/w\nbuildkitsandbox\n0\nhttp_proxy=http://p:1\nHTTP_PROXY=http://p:1\n"
                    || trial.log
                        == "hi there, you\n/w\nbuildkitsandbox\n0\nHTTP_PROXY=http://p:1\nhttp_proxy=http://p:1\n"
            )
            try trial.build { $0.arguments = ["who": "you"] }
            #expect(trial.endings.contains { $0.hasPrefix("CACHED [3/3] RUN") })
            try trial.build { $0.arguments = ["who": "me", "HTTP_PROXY": "http://p:1"] }
            #expect(trial.log.hasPrefix("hi there, me\n"))
        }

        @Test func execFormAndUser() throws {
            let trial = try BuildTrial(
                "FROM busybox\nRUN echo 'u:x:1234:55::/home/u:/bin/sh' >> /etc/passwd\nUSER u\nRUN [\"id\"]\nRUN echo $HOME\n"
            )
            try trial.build()
            #expect(trial.log.hasPrefix("uid=1234(u) gid=55"))
            #expect(trial.log.hasSuffix("\n/home/u\n"))
        }

        @Test func heredocs() throws {
            let trial = try BuildTrial(
                "FROM busybox\nRUN <<EOF\necho one\necho two\nEOF\nRUN <<EOF\n#!/bin/cat\nthree\nEOF\n"
            )
            let image = try trial.build()
            #expect(trial.log == "one\ntwo\n#!/bin/cat\nthree\n")
            #expect(try trial.topLayer(of: image) == [])
        }

        @Test func failureLeavesNothing() throws {
            let fixture = try #require(BuildFixture.current)
            let trial = try BuildTrial("FROM busybox\nRUN echo oh; echo no >&2; exit 3\nRUN true\n")
            let before = try RunTraces(fixture)
            let failure = try #require(
                trial.failure { $0.tags = [(try? ImageReference("failing"))].compactMap(\.self) }
            )
            #expect(
                failure.message
                    == "process \"/bin/sh -c echo oh; echo no >&2; exit 3\" did not complete successfully: exit code: 3"
            )
            #expect(failure.excerpt.contains("   2 | >>> RUN echo oh; echo no >&2; exit 3\n"))
            #expect(failure.output.sorted() == ["no", "oh"])
            #expect(trial.containers.count == 1)
            #expect(trial.cgroups == [])
            #expect(trial.endings.last == "ERROR [2/3] RUN echo oh; echo no >&2; exit 3")
            #expect(try RunTraces(fixture) == before)
            #expect(throws: EngineError.self) { try fixture.engine.images.resolve("failing") }
        }

        @Test func missingProgram() throws {
            let failure = try BuildTrial("FROM busybox\nRUN [\"/nope\"]\n").failure()
            #expect(failure?.message == "process \"/nope\" did not complete successfully: exit code: 127")
            #expect(failure?.output == ["exec: \"/nope\": stat /nope: no such file or directory"])
        }

        @Test func bigOutput() throws {
            let trial = try BuildTrial("FROM busybox\nRUN head -c 3000000 /dev/zero | tr '\\0' x; echo; printf end\n")
            try trial.build()
            #expect(trial.log.utf8.count == 3_000_004)
            #expect(trial.log.hasSuffix("x\nend"))
        }

        @Test func noNetwork() throws {
            let trial = try BuildTrial("FROM busybox\nRUN --network=none ip -o link | wc -l\n")
            try trial.build()
            #expect(trial.log == "1\n")
        }

        @Test func stopsAtASignal() throws {
            let fixture = try #require(BuildFixture.current)
            let trial = try BuildTrial("FROM busybox\nRUN echo started; sleep 60\n")
            let before = try RunTraces(fixture)
            let began = Clock.monotonic
            var events: [BuildEvent] = []
            let builder = Builder(engine: fixture.engine) { event in
                events.append(event)
                if case .log = event.kind { pthread_kill(pthread_self(), SIGTERM) }
            }
            #expect(throws: BuildInterrupted.self) { try builder.build(BuildRequest(context: trial.context)) }
            #expect(Clock.monotonic - began < 20_000_000_000)
            #expect(events.contains { $0.isLog })
            #expect(events.last?.kind == .canceled)
            #expect(try RunTraces(fixture) == before)
        }

        @Test func bindMounts() throws {
            let trial = try BuildTrial(
                """
                FROM busybox AS one
                RUN mkdir /d && echo from-stage > /d/x
                FROM busybox
                RUN --mount=type=bind,target=/ctx cat /ctx/a.txt && (echo no > /ctx/a.txt) 2>/dev/null || echo read-only
                RUN --mount=type=bind,source=a.txt,target=/f,rw cat /f && echo changed > /f && cat /f
                RUN --mount=type=bind,from=one,source=/d,target=/s cat /s/x
                """,
                files: ["a.txt": "a\n"]
            )
            let image = try trial.build()
            #expect(trial.log == "a\nread-only\na\nchanged\nfrom-stage\n")
            #expect(try trial.topLayer(of: image) == [])
            #expect(try Files.readText("\(trial.context)/a.txt") == "a\n")
            try trial.build()
            #expect(trial.log == "")
            try trial.write("a.txt", "b\n")
            try trial.build()
            #expect(trial.log == "b\nread-only\nb\nchanged\n")
        }

        @Test func cacheAndTmpfsMounts() throws {
            let trial = try BuildTrial(
                """
                FROM busybox
                RUN --mount=type=cache,target=/cache --mount=type=tmpfs,target=/t echo x >> /cache/n && \\
                    wc -l < /cache/n && touch /t/file
                """
            )
            let image = try trial.build { $0.noCache = true }
            #expect(trial.log == "1\n")
            #expect(try trial.topLayer(of: image) == [])
            try trial.build { $0.noCache = true }
            #expect(trial.log == "2\n")
        }

        @Test func secretsAreRefused() throws {
            let failure = try BuildTrial("FROM busybox\nRUN --mount=type=secret,id=s true\n").failure()
            #expect(failure?.message == "RUN --mount=type=secret is not supported yet")
            #expect(failure?.excerpt.contains(">>> RUN --mount=type=secret") == true)
        }

        @Test func foldersAreWhatTheirTarsSay() throws {
            let trial = try BuildTrial(
                """
                FROM busybox
                RUN mkdir -p /a/b /gone && echo 1 > /a/b/f && ln -s b /a/l && ln /a/b/f /a/h && touch /gone/x
                RUN rm -r /gone && rm -r /a/b && mkdir /a/b && echo 2 > /a/b/g && chmod 4750 /a/b/g && mkfifo /a/p
                """
            )
            let image = try trial.build()
            let directories = try trial.root(of: image).directories
            let folder = "\(trial.context)/unpacked"
            try Files.makeDirectories(folder)
            let blob = try #require(image.manifest.layers.last)
            let lower = LayerStack(directories: Array(directories.dropFirst()))
            _ = try LayerUnpacker.unpack(try image.open(layer: blob), into: folder, over: lower)
            let (unpacked, adopted) = (try FolderListing.of(folder), try FolderListing.of(directories[0]))
            #expect(unpacked.filter { !adopted.contains($0) } == [])
            #expect(adopted.filter { !unpacked.contains($0) } == [])
        }
    }
}

/// What a RUN may leave on the machine.
struct RunTraces: Equatable {
    let containers: [String]
    let temporary: [String]
    let active: [String]
    let mounts: [Substring]

    init(_ fixture: BuildFixture) throws {
        func list(_ path: String) -> [String] { ((try? Files.list(path)) ?? []).sorted() }
        let root = fixture.engine.images.root
        containers = list("\(root)/containers") + list("\(fixture.engine.state)/names")
        temporary = list("\(root)/tmp").filter { !$0.hasSuffix(".lock") }
        active = list("\(fixture.engine.state)/active")
        mounts = try Files.readText("/proc/self/mounts").split(separator: "\n").filter { $0.contains(fixture.path) }
    }
}

extension BuildEvent {
    fileprivate var isLog: Bool { if case .log = kind { true } else { false } }
}
