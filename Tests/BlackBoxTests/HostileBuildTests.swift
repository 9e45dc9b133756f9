import LinuxSystem
import OCI
import TestSupport
import Testing

/// Dockerfiles and contexts that ask for more than there is.
@Suite(.enabled(if: Minirun.isEnabled), .timeLimit(.minutes(20))) struct HostileBuildTests {
    let minirun: Minirun
    init() throws { minirun = try Minirun() }

    /// Refused before a step has run, and nothing is left: of a Dockerfile that makes them all, and of a base that has most.
    @Test func tooManyLayers() throws {
        let steps = (0..<600).map { "WORKDIR /d\($0)\n" }
        try minirun.write("many/Dockerfile", "FROM scratch\n" + steps.joined())
        let many = try minirun("build", minirun.path("many"))
        #expect(many.code == 1 && many.err.contains("an image of 600 layers cannot be mounted"), "\(many)")
        #expect(minirun.blobs.isEmpty && minirun.layers.isEmpty && minirun.temporaries.isEmpty)

        try minirun.write("base/Dockerfile", "FROM scratch\n" + steps.prefix(5).joined())
        #expect(try minirun("build", "-t", "base", minirun.path("base")).code == 0)
        let made = minirun.layers
        try minirun.write(
            "above/Dockerfile",
            "FROM base AS one\n\(steps.prefix(400).joined())FROM one\n\(steps.prefix(96).joined())"
        )
        let above = try minirun("build", minirun.path("above"))
        #expect(above.code == 1 && above.err.contains("an image of 501 layers cannot be mounted"), "\(above)")
        #expect(minirun.layers == made)
    }

    @Test func anArchiveThatExpandsTooFar() throws {
        try minirun.write("context/Dockerfile", "FROM scratch\nADD zeros.tar.gz /\n")
        let script = """
            import sys, tarfile, io
            with tarfile.open(sys.argv[1], 'w:gz') as t:
                i = tarfile.TarInfo('zeros'); i.size = 30_000_000
                t.addfile(i, io.BytesIO(bytes(i.size)))
            """
        try tool("python3", "-c", script, minirun.path("context/zeros.tar.gz"))
        let context = minirun.path("context")
        let refused = try minirun("build", context, environment: ["MINIRUN_MAX_LAYER_SIZE": "20MB"])
        #expect(
            refused.code == 1 && refused.err.contains("the archive expands to more than 20000000 bytes"),
            "\(refused)"
        )
        #expect(minirun.layers.isEmpty && minirun.temporaries.isEmpty)
        #expect(try minirun("build", context, environment: ["MINIRUN_MAX_LAYER_SIZE": "40MB"]).code == 0)
    }
}
