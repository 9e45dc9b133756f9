import OCI
import Testing

@testable import Build

@Suite("Dockerfile: reading") struct DockerfileTests {
    private func actions(_ text: String) throws -> [Instruction.Action] {
        try Dockerfile(Array(text.utf8)).instructions.map(\.action)
    }

    private func only(_ text: String) throws -> Instruction.Action { try #require(try actions(text).first) }

    @Test func readsPlacesAndText() throws {
        let text = "# syntax=docker/dockerfile:1\n\nFROM a\n  RUN one && \\\n# note\n    two \\\n\n  three\nCMD x\n"
        let file = try Dockerfile(Array(text.utf8), name: "Dockerfile.dev")
        #expect(file.directives == [Directive(name: .syntax, value: "docker/dockerfile:1", line: 1)])
        let run = file.instructions[1]
        #expect(run.range == SourceRange(file: "Dockerfile.dev", line: 4, column: 3, endLine: 8))
        #expect(run.original == "RUN one &&     two   three")
        #expect(run.action == .run(shell("one &&     two   three")))
        #expect(file.instructions[2].range.line == 9)
        #expect(file.emptyContinuations.map(\.line) == [8])
    }

    private func shell(_ line: String, _ heredocs: [Heredoc] = []) -> RunInstruction {
        RunInstruction(
            command: .shell(line),
            heredocs: heredocs,
            mounts: [],
            network: .default,
            security: .sandbox,
            devices: []
        )
    }

    @Test func takesMarksAndLineEnds() throws {
        let text = "\u{FEFF}FROM a\r\nRUN b \\\r\n c\r\n"
        #expect(try actions(text) == [.from(FromInstruction(base: "a")), .run(shell("b  c"))])
    }

    @Test func directivesStandOnlyAtTheTop() throws {
        let escaped = try Dockerfile(Array("# Escape = `\nFROM a\nRUN b `\n c\\\nRUN d\n".utf8))
        #expect(escaped.escape == "`")
        #expect(escaped.instructions[1].original == "RUN b  c\\")
        let late = try Dockerfile(Array("# note\n# escape=`\nFROM a\nRUN b \\\n c\n".utf8))
        #expect(late.escape == "\\")
        #expect(late.instructions.count == 2)
        #expect(try Dockerfile(Array("# other=x\n# escape=`\nFROM a".utf8)).directives.isEmpty)
    }

    @Test func continuationsEndWhereTheyShould() throws {
        // An escaped escape is none, space behind it does not matter, and the file's end ends it too.
        #expect(try actions("FROM a\nRUN b \\\\\nRUN c").count == 3)
        #expect(try actions("FROM a\nRUN b \\  \t\n  c")[1] == .run(shell("b   c")))
        #expect(try actions("FROM a\nRUN b \\")[1] == .run(shell("b")))
        #expect(try actions("\\\nFROM a").count == 1)
    }

    @Test(arguments: [
        ("CMD [\"a\", \"b c\"]", CommandForm.exec(["a", "b c"])), ("CMD [ \"\\u00e9\\n\" ]", .exec(["é\n"])),
        ("CMD []", .exec([])), ("CMD ['a']", .shell("['a']")), ("CMD [\"a\"", .shell("[\"a\"")),
        ("CMD [\"a\"] && b", .shell("[\"a\"] && b")), ("CMD a  \"b\"  ", .shell("a  \"b\"")), ("CMD", .shell("")),
        ("CMD -- [\"a\"]", .exec(["a"])),
    ]) func execForms(_ text: String, _ expected: CommandForm) throws {
        #expect(try only(text) == .cmd(expected))
    }

    static let pairs: [(String, [KeyValue])] = [
        ("a b c", [KeyValue("a", "b c", isLegacy: true)]), ("a  b", [KeyValue("a", "b", isLegacy: true)]),
        ("a=b c=d", [KeyValue("a", "b"), KeyValue("c", "d")]),
        ("a=\"b c\" d=", [KeyValue("a", "\"b c\""), KeyValue("d", "")]),
        ("a=b\\ c d='e f'", [KeyValue("a", "b\\ c"), KeyValue("d", "'e f'")]), ("a==b", [KeyValue("a", "=b")]),
        ("a=\"x\\\"y z\"", [KeyValue("a", "\"x\\\"y z\"")]), ("a b=c", [KeyValue("a", "b=c", isLegacy: true)]),
    ]

    @Test(arguments: pairs) func keysAndValues(_ text: String, _ expected: [KeyValue]) throws {
        #expect(try only("ENV " + text) == .env(expected))
        #expect(try only("LABEL " + text) == .label(expected))
    }

    @Test func readsEveryInstruction() throws {
        #expect(
            try only("from --platform=linux/arm64 a AS B")
                == .from(
                    FromInstruction(base: "a", name: "b", platform: "linux/arm64", asKeyword: "AS", writtenName: "B")
                )
        )
        #expect(
            try only("ARG a b=1 c=\"x y\"")
                == .arg([.init(name: "a"), .init(name: "b", value: "1"), .init(name: "c", value: "\"x y\"")])
        )
        #expect(try only("WORKDIR  /a b ") == .workdir("/a b"))
        #expect(try only("USER a:b") == .user("a:b"))
        #expect(try only("EXPOSE 90 80/udp") == .expose(["80/udp", "90"]))
        #expect(try only("VOLUME /a /b") == .volume(["/a", "/b"]))
        #expect(try only("VOLUME [\"/a b\"]") == .volume(["/a b"]))
        #expect(try only("SHELL [\"bash\", \"-c\"]") == .shell(["bash", "-c"]))
        #expect(try only("STOPSIGNAL SIGQUIT") == .stopSignal("SIGQUIT"))
        #expect(try only("ENTRYPOINT [\"a\"]") == .entrypoint(.exec(["a"])))
        #expect(try only("MAINTAINER Ada L.") == .maintainer("Ada L."))
        #expect(try only("ONBUILD RUN a") == .onBuild("RUN a"))
    }

    @Test func readsHealthchecks() throws {
        var check = ContainerConfiguration.Healthcheck(test: ["CMD-SHELL", "curl -f x || exit 1"])
        check.interval = 90_000_000_000
        check.timeout = 1_500_000_000
        check.startPeriod = 3_600_000_000_000
        check.startInterval = 250_000_000
        check.retries = 2
        let flags = "--interval=1m30s --timeout=1.5s --start-period=1h --start-interval=250ms --retries=2"
        #expect(try only("HEALTHCHECK \(flags) CMD curl -f x || exit 1") == .healthcheck(check))
        #expect(try only("HEALTHCHECK cmd [\"a\", \"b\"]") == .healthcheck(.init(test: ["CMD", "a", "b"])))
        #expect(try only("HEALTHCHECK NONE") == .healthcheck(.init(test: ["NONE"])))
    }

    @Test func readsCopyAndAdd() throws {
        var copy = CopyInstruction(sources: ["a", "b"], heredocs: [], destination: "/d/")
        (copy.from, copy.chown, copy.chmod) = ("base", "1:2", "0644")
        (copy.link, copy.parents, copy.excludes) = (true, true, ["*.o", "x y"])
        let flags = "--from=base --chown=1:2 --chmod=0644 --link --parents=true --exclude=*.o --exclude=\"x y\""
        #expect(try only("COPY \(flags) a b /d/") == .copy(copy))
        var add = CopyInstruction(sources: ["https://x/y"], heredocs: [], destination: "/")
        (add.checksum, add.keepGitDirectory, add.unpack) = ("sha256:0", false, true)
        #expect(try only("ADD --checksum=sha256:0 --keep-git-dir=false --unpack https://x/y /") == .add(add))
        #expect(
            try only("COPY [\"a b\", \"c\"]")
                == .copy(CopyInstruction(sources: ["a b"], heredocs: [], destination: "c"))
        )
        #expect(
            try only("COPY -- --from=x y")
                == .copy(CopyInstruction(sources: ["--from=x"], heredocs: [], destination: "y"))
        )
    }

    @Test func readsRunFlags() throws {
        let text =
            "RUN --mount=type=cache,target=/c --mount=type=secret,id=s --network=none --security=insecure --device=v/c=d x"
        let expected = RunInstruction(
            command: .shell("x"),
            heredocs: [],
            mounts: ["type=cache,target=/c", "type=secret,id=s"],
            network: .none,
            security: .insecure,
            devices: ["v/c=d"]
        )
        #expect(try only(text) == .run(expected))
    }

    @Test func keepsTheCommentsAboveAnInstruction() throws {
        let file = try Dockerfile(Array("# one\n\n# two\nFROM a\n#\n# three\nRUN b\nRUN c".utf8))
        #expect(file.instructions.map(\.comments) == [["one", "two"], ["three"], []])
    }
}

@Suite("Dockerfile: heredocs") struct HeredocTests {
    private func heredocs(_ text: String) throws -> [Heredoc] {
        let file = try Dockerfile(Array("FROM a\n\(text)\nUSER end".utf8))
        #expect(file.instructions.count == 3)
        guard case .run(let run) = file.instructions[1].action else { return [] }
        return run.heredocs
    }

    static let forms: [(String, String, String, Bool)] = [
        ("RUN <<EOF\na\nb\nEOF", "EOF", "a\nb\n", true), ("RUN <<-EOF\n\ta\n\t\tEOF", "EOF", "\ta\n", true),
        ("RUN <<'EOF'\n$a\nEOF", "EOF", "$a\n", false), ("RUN <<\"EOF\"\nEOF", "EOF", "", false),
        ("RUN <<E\"O\"F\nEOF", "EOF", "", false),
        ("RUN 3<<EOF x\n# no comment\n\nEOF", "EOF", "# no comment\n\n", true),
        ("RUN <<  EOF > f\na \\\nEOF", "EOF", "a \\\n", true), ("RUN <<$EOF\n$EOF", "$EOF", "", true),
        ("RUN <<'one two'\nx\none two", "one two", "x\n", false), ("RUN --network=none <<EOF\nEOF", "EOF", "", true),
        ("RUN a \\\n  <<EOF\nb\nEOF", "EOF", "b\n", true), ("RUN <<EOF\r\na\r\nEOF\r", "EOF", "a\r\n", true),
        ("RUN <<eo\\'f\nx\neo'f", "eo'f", "x\n", true),
    ]

    @Test(arguments: forms) func reads(_ text: String, _ name: String, _ content: String, _ expands: Bool) throws {
        let heredoc = try #require(try heredocs(text).first)
        #expect(heredoc.name == name)
        #expect(Array(heredoc.content.utf8) == Array(content.utf8))
        #expect(heredoc.expands == expands)
    }

    @Test(arguments: [
        "RUN \"<<EOF\"", "RUN '<<EOF'", "RUN a <<< b", "RUN [\"<<EOF\"]", "RUN cat <", "RUN a << ",
        "RUN echo $((1<<<2))",
    ]) func leavesOthersAlone(_ text: String) throws {
        #expect(try heredocs(text).isEmpty)
    }

    @Test func severalFollowEachOther() throws {
        let file = try Dockerfile(Array("COPY <<one <<-two b /d/\n1\none\n\t2\ntwo\nUSER u".utf8))
        guard case .copy(let copy) = file.instructions[0].action else { return }
        #expect(copy.heredocs.map(\.text) == ["1\n", "2\n"])
        #expect(copy.sources == ["b"])
        #expect(file.instructions[0].range.endLine == 5)
        #expect(file.instructions[1].range.line == 6)
    }

    @Test func triggersKeepTheirs() throws {
        let file = try Dockerfile(Array("ONBUILD RUN <<EOF\na\nEOF\n".utf8))
        #expect(file.instructions.map(\.action) == [.onBuild("RUN <<EOF\na\nEOF")])
    }
}

@Suite("Dockerfile: errors") struct DockerfileErrorTests {
    /// Text, line and column of the fault, message.
    static let faults: [(String, Int, Int, String)] = [
        ("FROM x\n\nBOGUS y", 3, 1, "dockerfile parse error on line 3: unknown instruction: BOGUS"),
        ("FROM x\n  runn y", 2, 3, "dockerfile parse error on line 2: unknown instruction: runn (did you mean run?)"),
        ("FROM x\nRUN a \\\n  b\nBARBAZ", 4, 1, "dockerfile parse error on line 4: unknown instruction: BARBAZ"),
        ("FROM", 1, 1, "dockerfile parse error on line 1: FROM requires either one or three arguments"),
        ("FROM a AS", 1, 1, "dockerfile parse error on line 1: FROM requires either one or three arguments"),
        (
            "FROM a AS 1b", 1, 11,
            "dockerfile parse error on line 1: invalid name for build stage: \"1b\", "
                + "name can't start with a number or contain symbols"
        ),
        ("FROM --os=x a", 1, 6, "dockerfile parse error on line 1: unknown flag: --os"),
        ("FROM x\nCOPY a", 2, 1, noDestination("COPY")), ("FROM x\nADD", 2, 1, noDestination("ADD")),
        ("FROM x\nCOPY --form=b a b", 2, 6, flag("unknown flag: --form (did you mean from?)")),
        ("FROM x\nCOPY \\\n --link \\\n --link a b", 4, 2, flag("duplicate flag specified: --link")),
        ("FROM x\nCOPY --from a b", 2, 6, flag("missing a value on flag: --from")),
        ("FROM x\nCOPY --link=maybe a b", 2, 6, flag("expecting boolean value for flag --link, not: maybe")),
        ("FROM x\nCOPY a <<EOF\nEOF", 2, 8, flag("COPY cannot accept a heredoc as a destination")),
        (
            "FROM x\nCOPY [\"a\", 1]", 2, 6,
            flag("when using JSON array syntax, arrays must be comprised of strings only")
        ),
        ("FROM x\nENV a", 2, 5, flag("ENV must have two arguments")),
        ("FROM x\nENV a=b c", 2, 9, flag("Syntax error - can't find = in \"c\". Must be of the form: name=value")),
        ("FROM x\nENV a=b =c", 2, 9, flag("ENV names can not be blank")),
        ("FROM x\nLABEL", 2, 1, flag("LABEL requires at least one argument")),
        ("FROM x\nENV --x a=b", 2, 5, flag("unknown flag: --x")),
        ("FROM x\nWORKDIR", 2, 1, flag("WORKDIR requires exactly one argument")),
        ("FROM x\nEXPOSE", 2, 1, flag("EXPOSE requires at least one argument")),
        ("FROM x\nVOLUME [\"\"]", 2, 8, flag("VOLUME specified can not be an empty string")),
        ("FROM x\nSHELL bash", 2, 7, flag("SHELL requires the arguments to be in JSON form")),
        ("FROM x\nRUN --network=lan a", 2, 5, flag("invalid network mode \"lan\"")),
        ("FROM x\nRUN --security=no a", 2, 5, flag("security \"no\" is not valid")),
        (
            "FROM x\nRUN --mount=from=$x,target=/a b", 2, 5,
            flag("'from' doesn't support variable expansion, define alias stage instead")
        ),
        ("FROM x\nHEALTHCHECK TEST x", 2, 13, flag("Unknown type \"TEST\" in HEALTHCHECK (try CMD)")),
        ("FROM x\nHEALTHCHECK NONE x", 2, 18, flag("HEALTHCHECK NONE takes no arguments")),
        ("FROM x\nHEALTHCHECK CMD", 2, 1, flag("Missing command after HEALTHCHECK CMD")),
        ("FROM x\nHEALTHCHECK --interval=5 CMD a", 2, 13, flag("time: invalid duration \"5\"")),
        ("FROM x\nHEALTHCHECK --interval=1us CMD a", 2, 13, flag("Interval \"interval\" cannot be less than 1ms")),
        ("FROM x\nONBUILD ONBUILD RUN a", 2, 9, flag("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")),
        ("FROM x\nONBUILD FROM a", 2, 9, flag("FROM isn't allowed as an ONBUILD trigger")),
        ("FROM x\nRUN <<EOF\na", 2, 1, flag("unterminated heredoc")),
        ("# escape=x\nFROM a", 1, 1, "invalid escape token 'x' does not match ` or \\"),
        ("# escape=`\n# escape=`\nFROM a", 2, 1, "only one escape parser directive can be used"),
        ("", 0, 0, "the Dockerfile cannot be empty"), ("# only\n\n", 0, 0, "file with no instructions"),
        ("RUN a", 1, 1, "no build stage in current context"), ("ARG a", 0, 0, "dockerfile contains no stages to build"),
    ]

    private static func flag(_ message: String) -> String { "dockerfile parse error on line 2: \(message)" }

    private static func noDestination(_ name: String) -> String {
        flag("\(name) requires at least two arguments, but only one was provided. Destination could not be determined")
    }

    @Test(arguments: faults) func namesThePlace(_ text: String, _ line: Int, _ column: Int, _ message: String) throws {
        let error = try #require(Planned.error(text))
        #expect(error.description == message)
        #expect([error.line, error.column] == [line, column])
    }

    @Test func showsTheLines() throws {
        let error = try #require(Planned.error("FROM x\n\nBOGUS y"))
        #expect(
            error.excerpt == """
                Dockerfile:3:1
                --------------------
                   1 |     FROM x
                   2 |     \n   3 | >>> BOGUS y
                --------------------

                """
        )
        let several = try #require(Planned.error("FROM x\nRUN a\nRUN b\nCOPY \\\n  --fom=x \\\n  a b\nRUN c\nRUN d\n"))
        #expect(
            several.excerpt == """
                Dockerfile:5:3
                --------------------
                   3 |     RUN b
                   4 | >>> COPY \\
                   5 | >>>   --fom=x \\
                   6 | >>>   a b
                   7 |     RUN c
                --------------------

                """
        )
    }
}
