import OCI
import Testing

@testable import Build

@Suite("Plan: the tutorial's Dockerfile")
struct TutorialTests {
    static let python: ImageConfiguration = {
        var image = ImageConfiguration()
        image.config.env = ["PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8"]
        image.config.cmd = ["python3"]
        return image
    }()

    @Test func plansEveryStep() throws {
        let text = "FROM python:3.8-slim\nWORKDIR /usr/src/app\nCOPY . .\nCMD [\"python\", \"./app.py\"]\n"
        let plan = try Planned.plan(text, base: TutorialTests.python)
        let stage = try #require(plan.targetStage)
        #expect(plan.stages.count == 1)
        #expect(stage.baseDisplayName == "[1/3] FROM docker.io/library/python:3.8-slim")
        #expect(
            stage.steps.map(\.displayName) == ["[2/3] WORKDIR /usr/src/app", "[3/3] COPY . .", nil]
        )
        #expect(
            stage.steps.map(\.createdBy) == [
                "WORKDIR /usr/src/app", "COPY . . # buildkit", "CMD [\"python\" \"./app.py\"]",
            ]
        )
        #expect(stage.steps.map(\.makesLayer) == [true, true, false])
        #expect(stage.steps[0].action == .makeWorkingDirectory(path: "/usr/src/app", user: ""))
        let copy = try #require(stage.steps[1].copy)
        #expect(copy.sources == [.path("/", pattern: nil)])
        #expect(copy.from == .context)
        #expect(copy.destination == "/usr/src/app/")
        #expect(stage.configuration.cmd == ["python", "./app.py"])
        #expect(stage.configuration.workingDir == "/usr/src/app")
        #expect(stage.configuration.env == TutorialTests.python.config.env)
        #expect(plan.warnings.isEmpty)
    }
}
