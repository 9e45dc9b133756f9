import OCI
import Testing

@testable import Build

@Suite("Plan: stages") struct StagePlanTests {
    private static let three = "FROM a AS one\nRUN 1\nFROM b AS two\nRUN 2\nFROM scratch\nCOPY --from=one /x /y\n"

    @Test(arguments: [
        (three, nil, [0, 2]), (three, "two", [1]), (three, "ONE", [0]),
        ("FROM a AS x\nFROM x AS y\nFROM y", nil, [0, 1, 2]),
        ("FROM a\nRUN 1\nFROM b\nCOPY --from=0 / /", nil, [0, 1]),
        ("FROM a AS x\nFROM b\nRUN --mount=from=x,target=/m y", nil, [0, 1]),
        ("FROM a AS x\nFROM b AS x\nFROM c\nCOPY --from=x / /", nil, [1, 2]), ("FROM a AS a\nFROM c\nRUN x", nil, [1]),
    ]) func onlyReachableStagesAreBuilt(_ text: String, _ target: String?, _ expected: [Int]) throws {
        var options = Planned.amd64
        options.target = target
        #expect(try Planned.plan(text, options).stages.map(\.index) == expected)
    }

    @Test func basesAreFound() throws {
        let arm =
            "FROM --platform=linux/arm64 py:3 AS a\nFROM a\nCOPY --from=busy:1 / /\nRUN --mount=from=tool,target=/t x"
        let planner = try BuildPlanner(try Dockerfile(Array(arm.utf8)), Planned.amd64)
        let base = ImageRequest(reference: try ImageReference("py:3"), platform: try Platform("linux/arm64"))
        let amd64 = Platform(architecture: "amd64")
        #expect(planner.neededImages == [base])
        #expect(planner.usedImages.map(\.reference.familiar) == ["py:3", "busy:1", "tool:latest"])
        let plan = try Planned.plan(arm)
        #expect(plan.stages.map(\.base) == [.image(base), .stage(0)])
        #expect(plan.stages[0].platform.architecture == "arm64")
        let busybox = ImageRequest(reference: try ImageReference("busy:1"), platform: amd64)
        #expect(plan.stages[1].steps[0].copy?.from == .image(busybox))
    }

    @Test(arguments: [
        ("FROM a\nCOPY --from=9 / /", "invalid stage index 9", 2),
        ("FROM a AS x\nCOPY --from=x / /", "circular dependency detected on stage: x", 2),
        ("FROM a AS x\nCOPY --from=y / /\nFROM x AS y", "circular dependency detected on stage: x", 2),
        (
            "FROM a AS x\nCOPY --from=y / /\nFROM b AS y\nFROM x",
            "cannot copy from stage \"y\", it needs to be defined before current stage \"x\"", 2
        ),
        (
            "FROM a\nRUN --mount=from=y,target=/m z\nFROM b AS y\nCOPY --from=0 / /",
            "circular dependency detected on stage: stage-0", 2
        ),
        (
            "FROM a\nCOPY --from=$x / /",
            "variable expansion is not supported for --from, "
                + "define a new stage with FROM using ARG from global scope as a workaround", 2
        ),
        ("FROM $none", "base name ($none) should not be blank", 1),
        ("FROM ${none?}", "failed to process \"${none?}\": none: is not allowed to be unset", 1),
        (
            "FROM Upper/Case",
            "failed to parse stage name \"Upper/Case\": invalid reference format: repository name (Case) must be lowercase",
            1
        ),
        ("FROM --platform=$none a", "empty platform value from expression $none", 1),
        ("FROM a\nCOPY https://x/y /", "source can't be a URL for COPY", 2),
        ("FROM a\nCOPY https://x/y.git /", "source can't be a git ref for COPY", 2),
        (
            "FROM a\nCOPY --chmod=999 a /",
            "invalid chmod parameter: '999'. it should be octal string and between 0 and 07777", 2
        ),
        ("FROM a\nADD --checksum=sha256:0 a /", "checksum requires HTTP(S) or Git sources", 2),
        ("FROM a\nEXPOSE 80/http", "invalid port: \"80/http\": invalid proto: http", 2),
        ("FROM a\nEXPOSE 99999", "invalid containerPort: 99999", 2),
        ("FROM a\nSTOPSIGNAL SIGNO", "invalid signal: SIGNO", 2),
        ("FROM a\nUSER ${x:?who}", "failed to process \"${x:?who}\": x: who", 2),
        ("FROM a\nRUN --mount=type=cache,target=/ x", "invalid mount target \"/\"", 2),
        ("FROM a\nRUN --mount=type=bund x", "unsupported mount type \"bund\" (did you mean bind?)", 2),
    ]) func refuses(_ text: String, _ message: String, _ line: Int) throws {
        let error = try #require(Planned.error(text))
        #expect(error.description == message)
        #expect(error.line == line)
    }

    @Test func aTargetMustExist() throws {
        var options = Planned.amd64
        options.target = "biuld"
        let error = try #require(Planned.error("FROM a AS build", options))
        #expect(error.description == "target stage \"biuld\" could not be found (did you mean build?)")
    }

    @Test func namedContextsWin() throws {
        var options = Planned.amd64
        options.namedContexts = ["x"]
        let plan = try Planned.plan("FROM a AS x\nFROM b\nCOPY --from=x / /", options)
        #expect(plan.stages.map(\.index) == [1])
        #expect(plan.targetStage?.steps.first?.copy?.from == .namedContext("x"))
    }
}

@Suite("Plan: variables") struct VariablePlanTests {
    private func environment(_ text: String, _ arguments: [String: String] = [:]) throws -> [String] {
        let run = try Planned.steps(text + "\nRUN x", Planned.arguments(arguments)).last?.run
        return (run?.environment ?? []).filter { !$0.hasPrefix("PATH=") }
    }

    static let cases: [(String, [String: String], [String])] = [
        ("FROM a\nARG V=1", [:], ["V=1"]), ("FROM a\nARG V=1", ["V": "2"], ["V=2"]), ("FROM a\nARG V", [:], []),
        ("FROM a\nARG V", ["V": "2"], ["V=2"]), ("FROM a", ["V": "2"], []),
        // global arguments are only visible where they are declared again
        ("ARG V=1\nFROM a", [:], []), ("ARG V=1\nFROM a\nARG V", [:], ["V=1"]),
        ("ARG V=1\nFROM a\nARG V=2", [:], ["V=2"]),
        ("ARG V=1\nARG W=$V.1\nFROM a\nARG W", ["V": "3"], ["W=3.1"]),
        // stages
        ("FROM a AS s\nARG V=1\nFROM s", [:], ["V=1"]), ("FROM a AS s\nARG V=1\nFROM b\nCOPY --from=s / /", [:], []),
        ("FROM a AS s\nENV V=1\nFROM s\nENV W=$V", [:], ["V=1", "W=1"]),
        // order, and one value for a whole instruction
        ("FROM a\nARG V=1\nENV V=2", [:], ["V=2"]), ("FROM a\nENV V=1\nENV V=2 W=$V", [:], ["V=2", "W=1"]),
        ("FROM a\nENV A=1 B=\"two words\" C=x\\ y", [:], ["A=1", "B=two words", "C=x y"]),
        ("FROM a\nENV A b  c", [:], ["A=b  c"]),
        ("FROM a\nENV A='$B'", [:], ["A=$B"]), ("FROM a\nARG A=1 B=$A", [:], ["A=1", "B=1"]),
        // the platform's
        ("FROM a\nARG TARGETARCH", [:], ["TARGETARCH=amd64"]),
        ("FROM a\nARG TARGETPLATFORM", [:], ["TARGETPLATFORM=linux/amd64"]),
        ("FROM a\nARG BUILDOS TARGETVARIANT", [:], ["BUILDOS=linux", "TARGETVARIANT="]), ("FROM a\nRUN 1", [:], []),
        ("FROM a\nARG TARGETARCH", ["TARGETARCH": "x"], ["TARGETARCH=x"]),
        ("FROM a AS s\nARG TARGETSTAGE", [:], ["TARGETSTAGE=s"]),
        // proxies are not part of it unless declared
        ("FROM a", ["HTTP_PROXY": "p"], []), ("FROM a\nARG HTTP_PROXY", ["HTTP_PROXY": "p"], ["HTTP_PROXY=p"]),
    ]

    @Test(arguments: cases) func whatRunSees(_ text: String, _ arguments: [String: String], _ expected: [String]) throws
    {
        #expect(try environment(text, arguments) == expected)
    }

    @Test func proxiesGoBeside() throws {
        let plan = try Planned.plan("FROM a\nRUN x", Planned.arguments(["https_proxy": "p", "NO_PROXY": "n"]))
        #expect(plan.proxyEnvironment == ["HTTPS_PROXY=p", "https_proxy=p", "NO_PROXY=n", "no_proxy=n"])
    }

    @Test func globalsExpandFrom() throws {
        let text = "ARG TAG=1\nARG IMAGE=py:$TAG\nFROM --platform=$BUILDPLATFORM ${IMAGE}-slim AS a\nFROM $TAG"
        var options = Planned.arguments(["TAG": "a"])
        options.buildPlatform = Platform(architecture: "arm64", variant: "v8")
        let stages = try BuildPlanner(try Dockerfile(Array(text.utf8)), options).stages
        let request = ImageRequest(
            reference: try ImageReference("py:a-slim"),
            platform: Platform(architecture: "arm64")
        )
        guard case .image(let base) = stages[0].base else { return }
        #expect(base.reference == request.reference)
        #expect(base.platform.architecture == "arm64")
        #expect(stages[1].base == .stage(0))
    }

    @Test func theBasesEnvironmentExpands() throws {
        var base = ImageConfiguration(platform: Platform(architecture: "amd64"))
        base.config.env = ["PATH=/base", "HOME=/h"]
        base.config.workingDir = "/w/"
        let plan = try Planned.plan("FROM a\nENV PATH=$PATH:/x\nWORKDIR sub\nCOPY a $HOME/b/\nCOPY a b", base: base)
        let stage = try #require(plan.targetStage)
        #expect(stage.configuration.env == ["PATH=/base:/x", "HOME=/h"])
        #expect(stage.configuration.workingDir == "/w/sub")
        #expect(stage.steps.compactMap(\.copy?.destination) == ["/h/b/", "/w/sub/b"])
    }

    @Test func scratchHasAPath() throws {
        let stage = try #require(try Planned.plan("FROM scratch\nRUN x").targetStage)
        #expect(stage.configuration.env == ["PATH=\(StagePlanner.defaultPath)"])
        #expect(stage.configuration.workingDir == "/")
    }

    @Test func commandsAreNotExpanded() throws {
        let text =
            "FROM a\nENV V=1\nRUN echo $V\nCMD echo $V\nENTRYPOINT [\"$V\"]\nHEALTHCHECK CMD echo $V\nONBUILD RUN $V"
        let stage = try #require(try Planned.plan(text).targetStage)
        #expect(stage.steps[1].run?.arguments == ["/bin/sh", "-c", "echo $V"])
        #expect(stage.configuration.cmd == ["/bin/sh", "-c", "echo $V"])
        #expect(stage.configuration.entrypoint == ["$V"])
        #expect(stage.configuration.healthcheck?.test == ["CMD-SHELL", "echo $V"])
        #expect(stage.configuration.onBuild == ["RUN $V"])
    }

    @Test func otherInstructionsAre() throws {
        let text = """
            FROM a
            ENV V=1 P="80 90"
            USER u$V
            EXPOSE $P 8${V}00-8102/udp
            VOLUME /v$V
            STOPSIGNAL $V
            LABEL k$V=v$V "a b"="c"
            WORKDIR /d$V
            COPY --chown=$V:2 --chmod=064$V s$V d$V
            """
        let stage = try #require(try Planned.plan(text).targetStage)
        let configuration = stage.configuration
        #expect(configuration.user == "u1")
        #expect(configuration.exposedPorts == ["80/tcp", "8100/udp", "8101/udp", "8102/udp", "90/tcp"])
        #expect(configuration.volumes == ["/v1"])
        #expect(configuration.stopSignal == "1")
        #expect(configuration.labels == ["k1": "v1", "a b": "c"])
        #expect(configuration.workingDir == "/d1")
        #expect(stage.steps.last?.copy?.owner == "1:2")
        #expect(stage.steps.last?.copy?.mode == (try ModeChange("0641")))
        #expect(stage.steps.last?.copy?.destination == "/d1/d1")
    }
}
