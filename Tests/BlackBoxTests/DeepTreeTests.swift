import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// A container makes folders as deep as it likes, and the engine works with as many descriptors as it got.
@Suite(.enabled(if: Minirun.isEnabled), .timeLimit(.minutes(20))) struct DeepTreeTests {
    let minirun: Minirun
    init() throws {
        minirun = try Minirun()
        #expect(try minirun("load", "-q", "-i", minirun.archive("one", number: 1)).code == 0)
    }

    private static func making(_ depth: Int) -> String {
        "mkdir /deep; cd /deep; i=0; while [ $i -lt \(depth) ]; do mkdir d; cd d; i=$((i+1)); done; echo x > f"
    }

    private func limited(_ words: [String], descriptors: Int = 64) throws -> Outcome {
        Outcome(
            try Subprocess.run(
                ["prlimit", "--nofile=\(descriptors):\(descriptors)"] + minirun.command(words),
                environment: Minirun.environment(),
                timeout: 120_000
            )
        )
    }

    @Test(arguments: [64, 256]) func whatAContainerLeft(descriptors: Int) throws {
        for name in ["one", "two"] {
            #expect(try minirun("run", "--name", name, "one", "sh", "-c", Self.making(1500)).code == 0)
        }
        for words in [
            ["ps", "-as"], ["system", "df"], ["system", "df", "-v"], ["system", "check"], ["rm", "one"],
            ["system", "prune", "-f"],
        ] {
            let outcome = try limited(words, descriptors: descriptors)
            #expect(outcome.code == 0 && outcome.err == "", "\(words): \(outcome)")
        }
        #expect(minirun.containers.isEmpty)
        try minirun.expectSound()
    }

    @Test func whatABuildStepMade() throws {
        try minirun.write("context/Dockerfile", "FROM one\nRUN \(Self.making(500))\n")
        let words = ["build", "-q", "-t", "built", minirun.path("context")]
        let built = try limited(words, descriptors: 96)
        #expect(built.code == 0, "\(built)")
        for words in [["image", "verify", "built"], ["system", "check"], ["image", "verify", "--all"]] {
            let outcome = try limited(words, descriptors: 96)
            #expect(outcome.code == 0, "\(words): \(outcome)")
        }
        #expect(try minirun("run", "--rm", "built", "sh", "-c", "find /deep | wc -l").line == "502")
        let removed = try limited(["rmi", "built"])
        #expect(removed.code == 0 && removed.err == "", "\(removed)")
        try minirun.expectSound()
    }
}
