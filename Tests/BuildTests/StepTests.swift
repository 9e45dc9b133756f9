import OCI
import Testing

@testable import Build

@Suite("Plan: steps") struct StepTests {
    static let histories: [(String, String?)] = [
        ("RUN apt update", "RUN /bin/sh -c apt update # buildkit"), ("RUN [\"a\", \"b c\"]", "RUN a b c # buildkit"),
        ("COPY . .", "COPY . . # buildkit"), ("COPY a b /c/", "COPY a b /c/ # buildkit"),
        ("COPY --from=x --link --chown=1:2 --chmod=755 a /b", "COPY --chown=1:2 --chmod=755 a /b # buildkit"),
        ("COPY --parents ./a/./b /c", "COPY --parents ./a/./b /c # buildkit"),
        ("ADD a.tar /", "ADD a.tar / # buildkit"),
        ("COPY <<f.txt b /d/\nx\nf.txt", "COPY b <<f.txt /d/ # buildkit"), ("WORKDIR /a/../b/", "WORKDIR /b"),
        ("WORKDIR /", "WORKDIR /"), ("CMD [\"python\", \"./app.py\"]", "CMD [\"python\" \"./app.py\"]"),
        ("CMD a \"b\"\t", "CMD [\"/bin/sh\" \"-c\" \"a \\\"b\\\"\"]"), ("CMD []", "CMD []"),
        ("ENTRYPOINT [\"a\\tb\"]", "ENTRYPOINT [\"a\\tb\"]"), ("ENV a=1 b=\"2 3\"", "ENV a=1 b=2 3"),
        ("ENV a b", "ENV a=b"),
        ("LABEL a=b", "LABEL a=b"), ("ARG a", "ARG a"), ("ARG a=1 b", "ARG a=1 b"),
        ("EXPOSE 80 53/UDP", "EXPOSE [53/udp 80/tcp]"),
        ("VOLUME /a /b", "VOLUME [/a /b]"), ("USER me", "USER me"), ("SHELL [\"a\", \"b\"]", "SHELL [a b]"),
        ("STOPSIGNAL 9", "STOPSIGNAL 9"), ("MAINTAINER me", "MAINTAINER me"), ("ONBUILD RUN a", nil),
        (
            "HEALTHCHECK --interval=90s CMD a b",
            "HEALTHCHECK {Test:[CMD-SHELL a b] Interval:1m30s Timeout:0s StartPeriod:0s StartInterval:0s Retries:0}"
        ),
        (
            "HEALTHCHECK NONE",
            "HEALTHCHECK {Test:[NONE] Interval:0s Timeout:0s StartPeriod:0s StartInterval:0s Retries:0}"
        ),
        ("RUN <<EOF\na\nb\nEOF", "RUN /bin/sh -c a\nb\n # buildkit"),
    ]

    @Test(arguments: histories) func history(_ instruction: String, _ expected: String?) throws {
        let step = try #require(try Planned.steps("FROM z AS x\nFROM z\n\(instruction)").first)
        #expect(step.createdBy == expected)
        let layers =
            ["RUN", "COPY", "ADD", "WORKDIR"].contains { instruction.hasPrefix($0) } && instruction != "WORKDIR /"
        #expect(step.makesLayer == layers)
        #expect((step.displayName != nil) == layers)
    }

    @Test func runNamesItsArguments() throws {
        let text = "FROM a\nARG b=1\nARG c\nARG b=2\nENV c=4\nRUN x"
        #expect(try Planned.steps(text).last?.createdBy == "RUN |2 b=2 c=4 /bin/sh -c x # buildkit")
        #expect(
            try Planned.steps("FROM a\nSHELL [\"bash\", \"-ec\"]\nRUN x").last?.createdBy == "RUN bash -ec x # buildkit"
        )
    }

    @Test(arguments: [
        // one stage
        (
            "FROM a\nENV x=y\nRUN 1\nCOPY . .",
            ["[1/3] FROM docker.io/library/a:latest", "[2/3] RUN 1", "[3/3] COPY . ."]
        ),
        ("FROM a AS named\nRUN 1", ["[1/2] FROM docker.io/library/a:latest", "[2/2] RUN 1"]),
        ("FROM scratch\nCOPY a b", ["[1/1] COPY a b"]),
        ("FROM a\nWORKDIR /\nRUN 1", ["[1/3] FROM docker.io/library/a:latest", "[2/3] RUN 1"]),
        (
            "FROM a\nRUN 1\nRUN 2\nRUN 3\nRUN 4\nRUN 5\nRUN 6\nRUN 7\nRUN 8\nRUN 9",
            ["[ 1/10] FROM docker.io/library/a:latest"] + (1...9).map { "[\($0 < 9 ? " " : "")\($0 + 1)/10] RUN \($0)" }
        ),
        // several
        (
            "FROM a AS builder\nRUN 1\nFROM b\nCOPY --from=builder /x /y",
            [
                "[builder 1/2] FROM docker.io/library/a:latest", "[builder 2/2] RUN 1",
                "[stage-1 1/2] FROM docker.io/library/b:latest", "[stage-1 2/2] COPY --from=builder /x /y",
            ]
        ),
        (
            "FROM a AS b\nRUN 1\nFROM b\nRUN 2",
            ["[b 1/2] FROM docker.io/library/a:latest", "[b 2/2] RUN 1", "[stage-1 1/1] RUN 2"]
        ),
        // another image counts as a stage, and so does a mount
        (
            "FROM a\nCOPY --from=q / /",
            ["[stage-0 1/2] FROM docker.io/library/a:latest", "[stage-0 2/2] COPY --from=q / /"]
        ),
        (
            "FROM a\nRUN --mount=type=cache,target=/c x",
            ["[stage-0 1/2] FROM docker.io/library/a:latest", "[stage-0 2/2] RUN --mount=type=cache,target=/c x"]
        ),
        // variables, keywords, heredocs
        (
            "FROM a\nENV v=1\nrun echo $v \"$w\"\ncopy $v ${w}b\nWORKDIR \"/$v\"",
            [
                "[1/4] FROM docker.io/library/a:latest", "[2/4] RUN echo 1 \"$w\"", "[3/4] COPY 1 b",
                "[4/4] WORKDIR /1",
            ]
        ),
        (
            "FROM a\nRUN <<EOF\n\nfirst\nsecond\nEOF\nRUN cat <<X\ny\nX",
            ["[1/3] FROM docker.io/library/a:latest", "[2/3] RUN <<EOF (first...)", "[3/3] RUN cat <<X"]
        ),
    ]) func displayNames(_ text: String, _ expected: [String]) throws {
        let shown = try Planned.plan(text).stages.flatMap { stage in
            [stage.baseDisplayName] + stage.steps.map(\.displayName)
        }
        #expect(shown.compactMap { $0 } == expected)
    }

    @Test func secretsInVariablesAreMasked() throws {
        let text = "FROM a\nENV T=old\nRUN --mount=type=secret,id=t,env=T echo $T"
        #expect(try Planned.steps(text).last?.displayName?.hasSuffix("echo ****") == true)
    }

    @Test func severalPlatformsAreShown() throws {
        var options = Planned.amd64
        options.isMultiPlatform = true
        let text = "FROM --platform=linux/arm64 a\nARG TARGETARCH\nRUN x"
        let stage = try #require(try Planned.plan(text, options).targetStage)
        #expect(stage.baseDisplayName == "[linux/arm64 1/2] FROM docker.io/library/a:latest")
        #expect(stage.steps.last?.displayName == "[linux/arm64->amd64 2/2] RUN x")
    }

    @Test func triggersComeFirst() throws {
        var base = ImageConfiguration(platform: Platform(architecture: "amd64"))
        base.config.onBuild = ["COPY --from=tool /t /t", "ENV A=1", "RUN x"]
        let text = "FROM q AS tool\nRUN make\nFROM base\nRUN echo $A"
        var planner = try BuildPlanner(try Dockerfile(Array(text.utf8)), Planned.amd64)
        #expect(planner.neededImages.map(\.reference.familiar) == ["base:latest"])
        try planner.provide(base, for: planner.neededImages[0])
        #expect(planner.neededImages.map(\.reference.familiar) == ["q:latest"], "a trigger needs another stage")
        try planner.provide(ImageConfiguration(platform: Platform(architecture: "amd64")), for: planner.neededImages[0])
        let stage = try #require(try planner.plan().targetStage)
        #expect(stage.steps.map(\.isTrigger) == [true, true, true, false])
        #expect(stage.steps[0].displayName == "[stage-1 2/5] ONBUILD COPY --from=tool /t /t")
        #expect(stage.steps[3].displayName == "[stage-1 4/5] RUN echo 1")
        #expect(stage.steps[0].range.line == 3)
        #expect(stage.configuration.onBuild.isEmpty)
    }

    @Test func aStagesTriggersGoToItsChild() throws {
        let plan = try Planned.plan("FROM a AS b\nONBUILD RUN <<EOF\nx\nEOF\nFROM b\nFROM b")
        #expect(plan.stages.map(\.index) == [0, 2])
        #expect(plan.stages[0].configuration.onBuild == ["RUN <<EOF\nx\nEOF"])
        #expect(plan.stages[1].steps.first?.run?.arguments == ["/bin/sh", "-c", "x\n"])
    }

    @Test func aBadTriggerIsTheBasesFault() throws {
        var base = ImageConfiguration(platform: Platform(architecture: "amd64"))
        base.config.onBuild = ["BARBAZ x"]
        #expect { try Planned.plan("\nFROM a", base: base) } throws: { error in
            (error as? DockerfileError)?.line == 2 && "\(error)" == "unknown instruction: BARBAZ"
        }
    }

    @Test(
        arguments: [
            ("CMD b\nENTRYPOINT a", ["b"]), ("ENTRYPOINT a", nil), ("ENTRYPOINT a\nCMD [\"c\"]", ["c"]),
            ("USER u", ["base"]),
        ] as [(String, [String]?)]
    ) func entrypointForgetsAnInheritedCommand(_ text: String, _ cmd: [String]?) throws {
        var base = ImageConfiguration(platform: Platform(architecture: "amd64"))
        base.config.cmd = ["base"]
        let configuration = try Planned.plan("FROM a\n\(text)", base: base).targetStage?.configuration
        #expect(configuration?.cmd == cmd.map { $0 == ["b"] ? ["/bin/sh", "-c", "b"] : $0 })
    }

    @Test func labelsOfTheCommandLineWin() throws {
        var options = Planned.amd64
        options.labels = ["a": "2", "c": "3"]
        let plan = try Planned.plan("FROM a\nLABEL a=1 b=1\nFROM 0", options)
        #expect(plan.targetStage?.configuration.labels == ["a": "2", "c": "3"])
    }

    @Test func heredocsBecomeCommands() throws {
        func run(_ text: String) throws -> RunStep? { try Planned.steps("FROM a\n\(text)").last?.run }
        #expect(try run("RUN <<-EOF\n\ta\n\tEOF")?.arguments.last == "a\n")
        let script = try run("RUN <<EOF\n#!/usr/bin/env python\nx\nEOF")
        #expect(script?.arguments == ["/bin/sh", "-c", "/dev/pipes/EOF"])
        #expect(script?.script == InlineFile(name: "EOF", content: "#!/usr/bin/env python\nx\n"))
        #expect(try run("RUN <<A cat 3<<-B\na\nA\n\tb\nB")?.arguments.last == "<<A cat 3<<-B\na\nA\n\tb\nB")
    }

    @Test func heredocsBecomeFiles() throws {
        let text = "FROM a\nENV v=1\nCOPY <<one <<'two' /d/\n\"$v\" \\$v 'x\none\n$v\ntwo\n"
        let sources = try Planned.steps(text).last?.copy?.sources
        #expect(
            sources == [
                .inline(InlineFile(name: "one", content: "\"1\" $v 'x\n")),
                .inline(InlineFile(name: "two", content: "$v\n")),
            ]
        )
    }

    @Test(
        arguments: [
            ("COPY a b", [CopyStep.Source.path("/a", pattern: nil)], "/w/b", false),
            ("COPY ../../a /b/", [.path("/a", pattern: nil)], "/b/", true),
            ("COPY ./a/ .", [.path("/a", pattern: nil)], "/w/", true),
            ("COPY a b /c", [.path("/a", pattern: nil), .path("/b", pattern: nil)], "/c", true),
            ("COPY *.[ch] /", [.path("/*.[ch]", pattern: nil)], "/", true),
            ("COPY a /b/../c/.", [.path("/a", pattern: nil)], "/c/", true),
            ("COPY --parents a/*/c /d", [.path("/", pattern: "a/*/c")], "/d", false),
            ("COPY --parents x/./a/**/c /d/", [.path("/x", pattern: "a/**/c")], "/d/", true),
            ("ADD https://x/y /d", [.url("https://x/y")], "/d", false),
            ("ADD git@h:r.git#v1 /d", [.git("git@h:r.git#v1")], "/d", false),
            ("ADD https://h/r.git#main:sub /d", [.git("https://h/r.git#main:sub")], "/d", false),
        ] as [(String, [CopyStep.Source], String, Bool)]
    )
    func copyPaths(_ text: String, _ sources: [CopyStep.Source], _ destination: String, _ directory: Bool) throws {
        let copy = try #require(try Planned.steps("FROM a\nWORKDIR /w\n\(text)").last?.copy)
        #expect(copy.sources == sources)
        #expect(copy.destination == destination)
        #expect(copy.needsDirectory == directory)
        #expect(copy.unpacksLocal == text.hasPrefix("ADD"))
        #expect(!copy.unpacksRemote)
    }

    @Test func workdirsFollowEachOther() throws {
        let text = "FROM a\nUSER u\nWORKDIR /a\nWORKDIR b\nWORKDIR ../c\nRUN x"
        let steps = try Planned.steps(text)
        #expect(steps[3].action == .makeWorkingDirectory(path: "/a/c", user: "u"))
        #expect(steps[4].run?.workingDirectory == "/a/c")
        #expect(steps[4].run?.user == "u")
    }
}
