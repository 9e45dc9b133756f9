import CLinux
import Images
import LinuxSystem
import OCI
import Runner
import Testing

@testable import Build

extension ExecutionTests {
    @Suite("The tutorial")
    struct Tutorial {
        static let dockerfile = """
            FROM python:3.8-slim
            WORKDIR /usr/src/app
            COPY . .
            CMD ["python", "./app.py"]

            """

        func trial() throws -> BuildTrial {
            try BuildTrial(Tutorial.dockerfile, files: ["app.py": "print(\"Hello from Docker!\")\n"])
        }

        @Test func buildsAndThenIsCached() throws {
            let trial = try trial()
            let tag = try ImageReference("python-docker-demo")
            let image = try trial.build { $0.tags = [tag] }
            let base = try trial.engine.images.resolve("python:3.8-slim")
            let from = "[1/3] FROM docker.io/library/python:3.8-slim@\(base.target.digest)"
            #expect(
                trial.endings == [
                    "DONE [internal] load build definition from Dockerfile",
                    "DONE [internal] load metadata for docker.io/library/python:3.8-slim",
                    "DONE [internal] load .dockerignore", "DONE [internal] load build context", "DONE \(from)",
                    "DONE [2/3] WORKDIR /usr/src/app", "DONE [3/3] COPY . .", "DONE exporting to image",
                ]
            )
            #expect(try trial.read("/usr/src/app/app.py", in: image) == "print(\"Hello from Docker!\")\n")
            #expect(try trial.engine.images.resolve("python-docker-demo").id == image.id)
            #expect(image.configuration.config.cmd == ["python", "./app.py"])
            #expect(image.configuration.diffIDs.count == base.configuration.diffIDs.count + 2)

            let began = Clock.monotonic
            let again = try trial.build { $0.tags = [tag] }
            let took = Double(Clock.monotonic - began) / 1e6
            print("cached rebuild: \(took) ms (debug build)")
            #expect(again.id == image.id)
            #expect(
                trial.endings.suffix(5) == [
                    "CACHED \(from)", "DONE [internal] load build context", "CACHED [2/3] WORKDIR /usr/src/app",
                    "CACHED [3/3] COPY . .",
                    "DONE exporting to image",
                ]
            )
            #expect(took < 100)
        }

        @Test func tellsSizesAndNames() throws {
            let trial = try trial()
            let image = try trial.build { $0.tags = [(try? ImageReference("sizes"))].compactMap(\.self) }
            let statuses = trial.events.compactMap { if case .status(let status) = $0.kind { status } else { nil } }
            #expect(statuses.contains(BuildStatus("transferring dockerfile:", current: 78, isDone: true)))
            #expect(statuses.contains(BuildStatus("transferring context:", current: 2, isDone: true)))
            #expect(statuses.contains(BuildStatus("transferring context:", current: 106, isDone: true)))
            let names = ["exporting layers", "writing image \(image.id)", "naming to docker.io/library/sizes"]
            #expect(statuses.map(\.name).suffix(3) == names[...])
        }

        @Test func history() throws {
            let trial = try trial()
            let image = try trial.build()
            let own = image.configuration.history.suffix(3)
            #expect(
                own.map(\.createdBy) == [
                    "WORKDIR /usr/src/app", "COPY . . # buildkit", "CMD [\"python\" \"./app.py\"]",
                ]
            )
            #expect(own.map(\.emptyLayer) == [false, false, true])
            #expect(own.allSatisfy { $0.comment == "buildkit.dockerfile.v0" && $0.created != nil })
            #expect(image.configuration.created == own.last?.created)
        }

        /// Other times, owners and another place: the same layers.
        @Test func isReproducible() throws {
            let one = try trial()
            let other = try trial()
            let name = "\(other.context)/app.py"
            chown(name, 1234, 5678)
            let times = [timespec(tv_sec: 1000, tv_nsec: 5), timespec(tv_sec: 1000, tv_nsec: 5)]
            utimensat(AT_FDCWD, name, times, 0)
            let first = try one.build { $0.noCache = true }
            let second = try other.build { $0.noCache = true }
            #expect(first.configuration.diffIDs == second.configuration.diffIDs)
            let entries = try one.topEntries(of: first)
            #expect(entries["usr/src/app/app.py"]?.mtime == 315_532_800)
            #expect(entries["usr/src/app/app.py"]?.uid == 0)
        }

        /// What is adopted as the unpacked layer is what unpacking the blob gives.
        @Test func foldersAreWhatTheirTarsSay() throws {
            let trial = try trial()
            let image = try trial.build { $0.noCache = true }
            let before = try FolderListing.of(try trial.root(of: image).directories[0])
            let folder = "\(trial.context)/unpacked"
            try Files.makeDirectories(folder)
            let lower = LayerStack(directories: Array(try trial.root(of: image).directories.dropFirst()))
            let blob = try #require(image.manifest.layers.last)
            _ = try LayerUnpacker.unpack(try image.open(layer: blob), into: folder, over: lower)
            #expect(try FolderListing.of(folder) == before)
        }

        @Test func changedFileMakesOnlyItsStepsAgain() throws {
            let trial = try trial()
            try trial.build()
            try trial.write("app.py", "print(2)\n")
            let image = try trial.build()
            #expect(trial.endings.contains("CACHED [2/3] WORKDIR /usr/src/app"))
            #expect(trial.endings.contains("DONE [3/3] COPY . ."))
            #expect(try trial.read("/usr/src/app/app.py", in: image) == "print(2)\n")
        }

        @Test func sourceDateEpoch() throws {
            let trial = try trial()
            let image = try trial.build { $0.arguments["SOURCE_DATE_EPOCH"] = "1700000000" }
            #expect(image.configuration.created == "2023-11-14T22:13:20Z")
            #expect(try trial.topEntries(of: image)["usr/src/app/app.py"]?.mtime == 1_700_000_000)
            let again = try trial.build {
                $0.arguments["SOURCE_DATE_EPOCH"] = "1700000000"
                $0.noCache = true
            }
            #expect(again.id == image.id)
        }

        @Test func missingBase() throws {
            let trial = try BuildTrial("FROM nothing:1\n")
            let failure = try #require(trial.failure())
            #expect(
                failure.message == "nothing:1: failed to resolve source metadata for docker.io/library/nothing:1: "
                    + "docker.io/library/nothing:1: not found"
            )
            #expect(failure.excerpt.contains("1 | >>> FROM nothing:1"))
        }
    }
}

/// Every file below a folder with all that is known of it.
enum FolderListing {
    static func of(_ folder: String, _ path: String = "") throws -> [String] {
        var lines: [String] = []
        let status = try FileStatus.of(folder)
        // Nobody sees a whiteout's time.
        let isWhiteout = status.kind == .characterDevice && status.represents == 0
        let times = isWhiteout ? "" : "\(status.modified.tv_sec).\(status.modified.tv_nsec)"
        lines.append("\(path) \(status.kind) \(String(status.mode, radix: 8)) \(status.owner):\(status.group) \(times)")
        switch status.kind {
        case .directory:
            for name in try Files.list(folder).sorted() { lines += try of("\(folder)/\(name)", "\(path)/\(name)") }
        case .file: lines.append(String(decoding: try Files.read(folder), as: UTF8.self))
        case .symbolicLink: lines.append(try Link.target(folder))
        default: break
        }
        return lines
    }
}
