import CLinux
import Images
import LinuxSystem
import OCI
import Runner
import Testing

@testable import Build

extension ExecutionTests {
    @Suite("Stages, images and the cache")
    struct Stages {
        @Test func onlyWhatTheTargetNeeds() throws {
            let trial = try BuildTrial(
                """
                FROM busybox AS one
                RUN mkdir -p /d && echo 1 > /d/f && chown -R 5:6 /d && ln /d/f /d/g
                FROM busybox AS broken
                RUN false
                FROM one AS two
                RUN echo 2 > /d/h
                FROM scratch
                COPY --from=two /d /from-two
                COPY --from=0 /d/f /from-one
                COPY --from=busybox /bin/true /bin/
                LABEL x=y
                """
            )
            let image = try trial.build { $0.labels = ["z": "1"] }
            #expect(try trial.read("/from-two/h", in: image) == "2\n")
            #expect(try trial.read("/from-one", in: image) == "1\n")
            let root = try trial.root(of: image)
            // The owners of a stage's files stay, and so do names of one file.
            #expect(try root.lookup("/from-two/f")?.status.owner == 5)
            #expect(try root.lookup("/from-two/f")?.status.inode == root.lookup("/from-two/g")?.status.inode)
            #expect(try root.lookup("/from-two")?.status.owner == 0)
            #expect(image.configuration.config.labels == ["x": "y", "z": "1"])
            #expect(image.configuration.history.count == 4)
            #expect(!trial.endings.contains { $0.contains("broken") })
            let again = try trial.build { $0.labels = ["z": "1"] }
            #expect(again.id == image.id)
            #expect(!trial.endings.contains { $0.hasPrefix("DONE [stage") || $0.hasPrefix("DONE [one") })
        }

        @Test func target() throws {
            let trial = try BuildTrial("FROM busybox AS one\nENV a=1\nFROM one\nRUN false\n")
            #expect(try trial.build { $0.target = "one" }.configuration.config.env.contains("a=1"))
            let failure = trial.failure { $0.target = "onee" }
            #expect(failure?.message == "target stage \"onee\" could not be found (did you mean one?)")
        }

        /// A stage that is built again and gives the same files changes nothing behind it.
        @Test func contentDecides() throws {
            let trial = try BuildTrial(
                "FROM busybox AS one\nCOPY src /src\nRUN cat /src/a > /out\nFROM busybox\nCOPY --from=one /out /\nRUN echo last\n",
                files: ["src/a": "a", "src/b": "b"]
            )
            let first = try trial.build()
            try trial.write("src/b", "changed")
            let second = try trial.build()
            #expect(trial.endings.contains("DONE [one 3/3] RUN cat /src/a > /out"))
            #expect(trial.endings.contains("CACHED [stage-1 2/3] COPY --from=one /out /"))
            #expect(trial.endings.contains("CACHED [stage-1 3/3] RUN echo last"))
            #expect(second.id == first.id)
            try trial.write("src/a", "changed")
            #expect(try trial.read("/out", in: trial.build()) == "changed")
        }

        @Test func cacheKnowsModesAndNames() throws {
            let trial = try BuildTrial("FROM busybox\nCOPY . /n/\n", files: ["a": "1"])
            func isCached() throws -> Bool {
                try trial.build()
                return trial.endings.contains("CACHED [2/2] COPY . /n/")
            }
            #expect(try !isCached())
            #expect(try isCached())
            // Times and owners do not count.
            utimensat(AT_FDCWD, "\(trial.context)/a", nil, 0)
            chown("\(trial.context)/a", 77, 77)
            #expect(try isCached())
            chmod("\(trial.context)/a", 0o600)
            #expect(try !isCached())
            rename("\(trial.context)/a", "\(trial.context)/b")
            #expect(try !isCached())
            try Link.create("\(trial.context)/l", to: "b")
            #expect(try !isCached())
            unlink("\(trial.context)/l")
            try Link.create("\(trial.context)/l", to: "a")
            #expect(try !isCached())
            try trial.build { $0.noCache = true }
            #expect(trial.endings.contains("DONE [2/2] COPY . /n/"))
        }

        /// A record without its layer is no record.
        @Test func lostLayersAreMadeAgain() throws {
            let trial = try BuildTrial("FROM busybox\nRUN echo lost > /lost\n")
            let image = try trial.build()
            let blob = try #require(image.manifest.layers.last).digest
            let store = trial.engine.images
            unlink(store.blobPath(blob))
            let again = try trial.build()
            #expect(trial.endings.contains("DONE [2/2] RUN echo lost > /lost"))
            #expect(try trial.read("/lost", in: again) == "lost\n")
            try Files.removeTree(store.layerPath(try #require(again.chainIDs.last)))
            #expect(try trial.read("/lost", in: trial.build()) == "lost\n")
            #expect(try BuildCache(store).roots().blobs.contains(try #require(again.manifest.layers.last).digest))
        }

        @Test func linkedCopiesOutliveTheirBase() throws {
            let trial = try BuildTrial("FROM busybox\nRUN echo 1 > /1\nCOPY --link a /n/\n", files: ["a": "linked"])
            try trial.build()
            try trial.write("Dockerfile", "FROM busybox\nRUN echo 2 > /1\nCOPY --link a /n/\n")
            let image = try trial.build()
            #expect(trial.endings.contains("CACHED [3/3] COPY --link a /n/"))
            #expect(try trial.read("/n/a", in: image) == "linked")
            #expect(try trial.read("/1", in: image) == "2\n")
        }

        @Test func onBuild() throws {
            let base = try BuildTrial("FROM busybox\nONBUILD COPY a /triggered\nONBUILD RUN cat /triggered\n")
            try base.build { $0.tags = [(try? ImageReference("triggers"))].compactMap(\.self) }
            let trial = try BuildTrial("FROM triggers\n", files: ["a": "yes"])
            let image = try trial.build()
            #expect(try trial.read("/triggered", in: image) == "yes")
            #expect(trial.log == "yes")
            #expect(image.configuration.config.onBuild.isEmpty)
        }

        @Test func dockerfileFromElsewhere() throws {
            let trial = try BuildTrial("not read\n", files: ["a": "1"])
            let text = Array("FROM busybox\nCOPY a /\n".utf8)
            #expect(try trial.read("/a", in: trial.build { $0.definition = .text(text) }) == "1")
            try trial.write("sub/My.Dockerfile", "FROM busybox\nCOPY a /b\n")
            let image = try trial.build { $0.definition = .file("\(trial.context)/sub/My.Dockerfile") }
            #expect(try trial.read("/b", in: image) == "1")
            #expect(trial.endings.first == "DONE [internal] load build definition from My.Dockerfile")
            let failure = trial.failure { $0.definition = .file("\(trial.context)/none") }
            #expect(failure?.message == "failed to read dockerfile: open none: no such file or directory")
        }

        @Test func errorsShowTheirLines() throws {
            let parse = try BuildTrial("FROM busybox\nBOGUS x\n").failure()
            #expect(parse?.message == "dockerfile parse error on line 2: unknown instruction: BOGUS")
            #expect(parse?.excerpt.contains("   2 | >>> BOGUS x\n") == true)
            let plan = try BuildTrial("FROM busybox\nCOPY --from=5 a /\n").failure()
            #expect(plan?.excerpt.contains(">>> COPY --from=5 a /") == true)
        }

        @Test func workdirs() throws {
            let trial = try BuildTrial("FROM busybox\nUSER 7:8\nWORKDIR /w/x\nWORKDIR y\nWORKDIR /etc\nRUN pwd\n")
            let image = try trial.build()
            let root = try trial.root(of: image)
            #expect(try root.lookup("/w/x/y")?.status.owner == 7)
            #expect(image.configuration.config.workingDir == "/etc")
            #expect(trial.log == "/etc\n")
            // A folder that is there makes an empty layer, as BuildKit has it.
            #expect(image.configuration.history.suffix(2).map(\.emptyLayer) == [false, false])
            let empty = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
            #expect(image.configuration.diffIDs.suffix(2).map(\.description) == [empty, empty])
        }

        @Test func manyFiles() throws {
            let trial = try BuildTrial("FROM busybox\nCOPY . /n/\n")
            for folder in 0..<20 {
                for file in 0..<50 { try trial.write("d\(folder)/f\(file)", "\(folder) \(file)") }
            }
            for folder in 0..<20 {
                // Older than what counts as settled.
                for file in 0..<50 { utimensat(AT_FDCWD, "\(trial.context)/d\(folder)/f\(file)", nil, 0) }
            }
            let began = Clock.monotonic
            let image = try trial.build()
            let first = Clock.monotonic
            #expect(try trial.build().id == image.id)
            let took = (Double(first - began) / 1e6, Double(Clock.monotonic - first) / 1e6)
            print("1000 files: \(took.0) ms, cached \(took.1) ms (debug build)")
        }

        @Test func digestCacheTrustsOnlyWhatIsSettled() throws {
            let fixture = try #require(BuildFixture.current)
            let path = "\(fixture.path)/digests"
            let file = "\(fixture.path)/file"
            try Files.write(file, [1, 2, 3])
            let status = try FileStatus.of(file)
            let digest = SHA256Digest.of([1, 2, 3])
            let cache = FileDigestCache(path: path)
            cache.remember(digest, of: status, readAt: Clock.realtime)
            #expect(cache.digest(of: status) == nil)
            cache.remember(digest, of: status, readAt: Clock.realtime + 3_000_000_000)
            #expect(cache.digest(of: status) == digest)
            try cache.save()
            #expect(FileDigestCache(path: path).digest(of: status) == digest)
            chmod(file, 0o600)
            #expect(FileDigestCache(path: path).digest(of: try FileStatus.of(file)) == nil)
            try Files.write(path, Array("damaged".utf8))
            #expect(FileDigestCache(path: path).digest(of: status) == nil)
        }
    }
}
