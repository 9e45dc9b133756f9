import OCI
import Testing

@testable import Build

/// Dockerfiles, ignore files and base images that want to be more than there is memory, stack or time for.
@Suite(.timeLimit(.minutes(20))) struct HostileTests {
    /// What is wrong with a Dockerfile; nil where it can be planned.
    private func failure(_ text: String, base: ContainerConfiguration = ContainerConfiguration()) -> String? {
        var image = ImageConfiguration(platform: Platform(architecture: "amd64"))
        image.config = base
        do {
            _ = try Planned.plan(text, base: image, Planned.amd64)
            return nil
        } catch {
            return "\(error)"
        }
    }

    private func lines(_ count: Int, _ line: (Int) -> String) -> String { (0..<count).map { line($0) + "\n" }.joined() }

    /// `ARG b=$a$a`, again and again.
    @Test func doubling() {
        let doubled = lines(80) { "ARG a\($0 + 1)=${a\($0)}$a\($0)" }
        let expected = "become more than"
        for text in [
            "FROM scratch\nARG a0=xxxxxxxxxx\n\(doubled)RUN x\n", "ARG a0=xxxxxxxxxx\n\(doubled)FROM scratch\n",
            "ARG a0=xxxxxxxxxx\n\(doubled)FROM ${a80}\n",
            "FROM scratch\nENV a=xxxx\n\(lines(80) { _ in "ENV a=$a$a" })",
            "FROM scratch\nENV a=xxxx\n\(lines(80) { _ in "LABEL x=$a\nENV a=$a-$a" })",
            "FROM scratch\nENV a=xxxx\n\(lines(80) { _ in "ENV a=${a:-$a}${a:+$a}" })",
            // Each letter is replaced by all of them.
            "FROM scratch\nENV a=xxxx\n\(lines(20) { _ in "ENV a=${a//x/$a}" })",
            "FROM scratch\nENV a=xxxx\n\(lines(20) { _ in "ENV a=${a//?/$a$a}" })",
        ] {
            let failure = failure(text)
            #expect(failure?.contains(expected) == true, "\(failure?.suffix(200) ?? "none")")
        }
    }

    /// Few variables, and many steps that each get all of them.
    @Test func manyStepsWithMuch() {
        let value = String(repeating: "x", count: 1 << 17)
        for instruction in ["RUN x", "LABEL x=$a"] {
            let text = "FROM scratch\nENV a=\(value)\n\(lines(1000) { _ in instruction })"
            let failure = failure(text) ?? ""
            // What does not grow with the variables may be as long as it likes.
            #expect(
                failure.contains("become") && failure.contains("more than"),
                "\(instruction): \(failure.suffix(200))"
            )
        }
    }

    @Test func nesting() {
        for form in ["${a:-", "${a:+", "${a-", "${a#", "${a%", "${a/", "\"${a:-", "${a:?"] {
            let text = "FROM scratch\nENV x=" + String(repeating: form, count: 20_000) + "\n"
            #expect(failure(text) != nil)
        }
        let deep = { (levels: Int) in
            "FROM scratch\nENV x=\(String(repeating: "${a:-", count: levels))y\(String(repeating: "}", count: levels))\n"
        }
        #expect(failure(deep(100)) == nil)
        #expect(failure(deep(101))?.contains("nested too deeply") == true)
        for form in ["[", "{\"a\":", "[[{\"x\":["] {
            #expect(failure("FROM scratch\nCMD \(String(repeating: form, count: 20_000))\n") == nil)
        }
        #expect(failure("FROM scratch\nRUN <<A\n\(lines(10_000) { "RUN <<A\($0)" })") != nil)
        _ = failure("FROM scratch\nRUN \(String(repeating: "<<A ", count: 2000))\n")
        _ = failure("FROM scratch\nRUN \(String(repeating: "<", count: 50_000))\n")
    }

    /// Thousands of each.
    @Test func counts() throws {
        let many = 5000
        let chain = "FROM scratch AS s0\n" + lines(many) { "FROM s\($0) AS s\($0 + 1)" }
        #expect(failure(chain) == nil)
        let copies = "FROM scratch AS s0\n" + lines(many) { "FROM scratch AS s\($0 + 1)\nCOPY --from=s\($0) /a /b" }
        #expect(failure(copies) == nil)
        let circle = "FROM scratch AS s0\nCOPY --from=s2000 / /\n" + lines(2000) { "FROM s\($0) AS s\($0 + 1)" }
        #expect(failure(circle)?.contains("circular dependency") == true)
        #expect(failure("FROM scratch\n" + lines(many) { "RUN \($0)" }) == nil)
        #expect(failure(lines(many * 5) { _ in "#a" } + "FROM scratch\n") == nil)
        #expect(failure("FROM scratch\nRUN a \\\n" + lines(many * 5) { _ in "#a" } + "b\n") == nil)
        #expect(
            failure(
                "FROM scratch\nENV \(lines(1) { _ in (0..<3000).map { "a\($0)=$b\($0)" }.joined(separator: " ") })"
            ) == nil
        )
        #expect(failure("FROM scratch\n" + lines(3000) { "LABEL x=$undefined\($0)" }) == nil)
    }

    /// Names that are compared with others, and are longer than anybody's.
    @Test func longNames() {
        let name = String(repeating: "x", count: 20_000)
        _ = failure("FROM scratch\nENV \(name)a=1\nRUN $\(name)b ${\(name)c}\n")
        #expect(failure("FROM scratch\nCOPY --\(name)=1 a b\n") != nil)
        #expect(failure("\(name) scratch\n") != nil)
        #expect(failure("FROM scratch AS \(name)\nFROM scratch\nCOPY --from=\(name)y a b\n") != nil)
    }

    /// What a base image says of itself is anybody's word.
    @Test func baseImages() {
        var base = ContainerConfiguration()
        base.onBuild = (0..<5000).map { "RUN \($0)" }
        #expect(failure("FROM busybox\nRUN x\n", base: base) == nil)
        for trigger in [
            "FROM busybox", "", "\n", "RUN a\nRUN b", "NOSUCH", "COPY --from=9 a b",
        ] {
            base.onBuild = [trigger]
            #expect(failure("FROM busybox\n", base: base) != nil, "\(trigger)")
        }
        base = ContainerConfiguration()
        base.onBuild = ["COPY --from=busybox /a /b", "ENV a=$a$a$a"]
        #expect(failure("FROM busybox AS a\nFROM a AS b\nFROM b\n", base: base) == nil)
        base = ContainerConfiguration()
        base.env = (0..<5000).map { "V\($0)=\($0)" } + ["", "=", "=x", "noValue", "a=1", "a=2", "PATH"]
        base.workingDir = String(repeating: "../", count: 2000) + "x\u{0}y"
        base.user = String(repeating: ":", count: 1000)
        base.exposedPorts = ["", "-1", "99999999999/x", "1-2-3"]
        base.volumes = ["", "/", "..", "a\nb"]
        base.entrypoint = []
        base.shell = [""]
        #expect(failure("FROM busybox\nRUN x\nENV a=3\nEXPOSE 80\nVOLUME /v\nWORKDIR x\nCMD x\n", base: base) == nil)
        base.env = [("a=" + String(repeating: "x", count: 2 << 20))]
        #expect(failure("FROM busybox\nLABEL x=$a\n", base: base)?.contains("become more than") == true)
    }

    @Test func ignoreFiles() throws {
        let names = Array(lines(10_000) { "a\($0)" }.utf8)
        #expect(try DockerIgnore(names).excludes("a9999"))
        #expect(throws: EngineError.self) { try DockerIgnore(names + Array("b\n".utf8)) }
        let stars = String(repeating: "*a", count: 60) + "b"
        let doubled = String(repeating: "**/", count: 60) + "b"
        let path = String(repeating: "a/", count: 100) + String(repeating: "a", count: 200)
        for pattern in [stars, doubled, "!" + stars, String(repeating: "[a-z]*", count: 60) + "0"] {
            let ignore = try DockerIgnore(Array("*\n\(pattern)\n".utf8))
            _ = ignore.excludes(path)
            _ = ignore.mayHoldExceptions(Array(path.utf8))
        }
        // No class runs over the end, no number is too large for one.
        for text in ["[", "[a", "[a-", "[]", "[^", "\\", "!", "[z-a]", "!!", "a[", "**[", "[\u{10FFFF}-a]", "\u{0}"] {
            _ = try? DockerIgnore(Array(text.utf8))
        }
    }

    /// Numbers at the ends of what their types hold.
    @Test func numbers() {
        for number in [
            "-1", "0", "2147483648", "4294967295", "4294967296", "9223372036854775807", "18446744073709551616", "1e400",
            "nan",
        ] {
            for instruction in [
                "EXPOSE \(number)", "EXPOSE 1-\(number)", "STOPSIGNAL \(number)",
                "HEALTHCHECK --interval=\(number)s CMD x",
                "HEALTHCHECK --retries=\(number) CMD x", "HEALTHCHECK --timeout=\(number)h CMD x",
                "COPY --chmod=\(number) a b",
                "COPY --from=\(number) a b", "RUN --mount=type=tmpfs,target=/x,size=\(number) x",
                "RUN --mount=type=tmpfs,target=/x,size=\(number)p x",
                "RUN --mount=type=cache,target=/x,uid=\(number) x",
                "RUN --mount=type=cache,target=/x,mode=\(number) x", "COPY --chown=\(number):\(number) a b",
                "RUN \(number)<<EOF\nEOF", "USER \(number)",
            ] { _ = failure("FROM scratch\n\(instruction)\n") }
        }
    }
}
