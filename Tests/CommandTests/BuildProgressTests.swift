import Build
import Testing

@testable import minirun

/// Collects what a display writes. Only one thread uses it.
final class Sink: @unchecked Sendable {
    private(set) var text = ""

    @Sendable func write(_ text: String) { self.text += text }
}

/// A terminal size that a test changes. Only one thread uses it.
final class FakeSize: @unchecked Sendable {
    private(set) var size: (columns: Int, rows: Int)

    init(_ columns: Int, _ rows: Int) { size = (columns, rows) }

    func set(_ columns: Int, _ rows: Int) { size = (columns, rows) }
}

/// An event at so many milliseconds.
private func event(_ milliseconds: UInt64, _ step: Int, _ kind: BuildEvent.Kind) -> BuildEvent {
    BuildEvent(time: 1_000_000_000 + milliseconds * 1_000_000, step: step, kind)
}

private func time(_ milliseconds: UInt64) -> UInt64 { 1_000_000_000 + milliseconds * 1_000_000 }

private func log(_ text: String) -> BuildEvent.Kind { .log(.output, Array(text.utf8)) }

private let dockerfile = SourceExcerpt(
    file: "Dockerfile",
    lines: ["FROM busybox", "WORKDIR /x", "RUN false", "CMD [\"sh\"]", ""],
    marked: 3...3
)

private let small: [BuildEvent] = [
    event(0, 0, .planned(name: "[internal] load build definition from Dockerfile")),
    event(0, 0, .started(name: "[internal] load build definition from Dockerfile")),
    event(1, 0, .status(BuildStatus("transferring dockerfile:", current: 103))),
    event(2, 0, .status(BuildStatus("transferring dockerfile:", current: 103, isDone: true))),
    event(3, 0, .completed),
    event(4, 1, .planned(name: "[1/3] FROM docker.io/library/busybox")),
    event(4, 2, .planned(name: "[2/3] WORKDIR /usr/src/app")),
    event(4, 3, .planned(name: "[3/3] RUN make")),
    event(4, 4, .planned(name: "exporting to image")),
    event(5, 1, .cached(name: "[1/3] FROM docker.io/library/busybox")),
    event(6, 2, .cached(name: "[2/3] WORKDIR /usr/src/app")),
    event(10, 3, .started(name: "[3/3] RUN make")),
    event(133, 3, log("one\ntw")),
    event(150, 3, log("o\n")),
    event(1210, 3, .completed),
    event(1220, 4, .started(name: "exporting to image")),
    event(1220, 4, .status(BuildStatus("exporting layers"))),
    event(1260, 4, .status(BuildStatus("exporting layers", isDone: true))),
    event(1262, 4, .status(BuildStatus("writing image sha256:0123", isDone: true))),
    event(1263, 4, .status(BuildStatus("naming to docker.io/library/x", isDone: true))),
    event(1264, 4, .completed),
]

@Suite struct PlainProgressTests {
    private func text(_ events: [BuildEvent], finish: UInt64 = 60_000) -> String {
        let sink = Sink()
        var display = PlainProgress(write: sink.write)
        for event in events { display.handle(event) }
        display.finish(now: time(finish))
        return sink.text
    }

    @Test func aWholeBuild() {
        #expect(
            text(small) == """
                #1 [internal] load build definition from Dockerfile
                #1 transferring dockerfile: 103B done
                #1 DONE 0.0s

                #2 [1/3] FROM docker.io/library/busybox
                #2 CACHED

                #3 [2/3] WORKDIR /usr/src/app
                #3 CACHED

                #4 [3/3] RUN make
                #4 0.123 one
                #4 0.123 two
                #4 DONE 1.2s

                #5 exporting to image
                #5 exporting layers 0.0s done
                #5 writing image sha256:0123 done
                #5 naming to docker.io/library/x done
                #5 DONE 0.0s

                """
        )
    }

    @Test func aFailure() {
        let failure = BuildFailure(
            "process \"/bin/sh -c false\" did not complete successfully: exit code: 1",
            excerpt: dockerfile
        )
        let events = [
            event(0, 0, .started(name: "[2/2] RUN false")), event(20, 0, log("oh\nno")), event(30, 0, .failed(failure)),
            event(31, 1, .started(name: "other")), event(32, 1, .canceled),
        ]
        #expect(
            text(events) == """
                #1 [2/2] RUN false
                #1 0.020 oh
                #1 0.020 no
                #1 ERROR: process "/bin/sh -c false" did not complete successfully: exit code: 1

                #2 other
                #2 CANCELED
                ------
                 > [2/2] RUN false:
                0.020 oh
                0.020 no
                ------
                Dockerfile:3
                --------------------
                   1 |     FROM busybox
                   2 |     WORKDIR /x
                   3 | >>> RUN false
                   4 |     CMD ["sh"]
                   5 |     
                --------------------

                """
        )
    }

    @Test func stepsTakeTurns() {
        let events = [
            event(0, 0, .started(name: "a")), event(0, 1, .started(name: "b")), event(10, 0, log("a1\n")),
            event(20, 1, log("b1\n")), event(30, 0, log("a2\n")), event(6000, 1, log("b2\n")),
            event(6001, 0, log("a3\n")),
            event(6002, 1, .completed), event(6003, 0, .completed),
        ]
        #expect(
            text(events) == """
                #1 a
                #1 0.010 a1
                #1 0.030 a2
                #1 ...

                #2 b
                #2 0.020 b1
                #2 6.000 b2
                #2 DONE 6.0s

                #1 a
                #1 6.001 a3
                #1 DONE 6.0s

                """
        )
    }

    @Test func progressIsNotRepeatedForEveryByte() {
        let status = { (current: Int64) in BuildEvent.Kind.status(BuildStatus("layer", current: current, total: 1000)) }
        var events = [event(0, 0, .started(name: "pull"))]
        for percent in 0...100 { events.append(event(UInt64(200 + percent * 200), 0, status(Int64(percent) * 10))) }
        events.append(event(20_400, 0, .status(BuildStatus("layer", current: 1000, total: 1000, isDone: true))))
        events.append(event(20_401, 0, .completed))
        let lines = text(events).split(separator: "\n")
        #expect(lines.count < 28)
        #expect(lines.dropLast(2).last == "#1 layer 1.00kB / 1.00kB 20.0s")
        #expect(lines.dropLast(1).last == "#1 layer 1.00kB / 1.00kB 20.2s done")
    }

    @Test func warnings() {
        let events = [
            event(0, 0, .started(name: "load")), event(1, 0, .warning("JSONArgsRecommended: use JSON (line 3)")),
            event(2, 0, .completed),
        ]
        #expect(
            text(events) == """
                #1 load
                #1 WARN: JSONArgsRecommended: use JSON (line 3)
                #1 DONE 0.0s

                 1 warning found:
                 - JSONArgsRecommended: use JSON (line 3)


                """
        )
    }

    @Test func quietSaysNothing() throws {
        let sink = Sink()
        var display = try BuildProgress(.quiet, output: BuildProgress.Output(write: sink.write), colors: false)
        for event in small { display.handle(event) }
        display.finish(now: time(2000))
        #expect(sink.text == "")
        #expect(message { () throws(ValueError) in try ProgressMode(parsing: "x") } == "invalid progress mode x")
    }
}

@Suite struct TerminalProgressTests {
    private func screen(_ sink: Sink, columns: Int) -> Screen {
        var screen = Screen(columns: columns)
        screen.write(sink.text)
        return screen
    }

    @Test func aWholeBuild() {
        let sink = Sink()
        let size = FakeSize(60, 24)
        var display = TerminalProgress(write: sink.write, size: { size.size })
        for event in small {
            display.handle(event)
            display.tick(now: event.time)
        }
        display.finish(now: time(1300))
        let screen = screen(sink, columns: 60)
        #expect(
            screen.lines == [
                "[+] Building 1.3s (5/5) FINISHED",
                " => [internal] load build definition from Dockerfile   0.0s",
                " => => transferring dockerfile: 103B                   0.0s",
                " => CACHED [1/3] FROM docker.io/library/busybox        0.0s",
                " => CACHED [2/3] WORKDIR /usr/src/app                  0.0s",
                " => [3/3] RUN make                                     1.2s",
                " => exporting to image                                 0.0s",
                " => => exporting layers                                0.0s",
                " => => writing image sha256:0123                       0.0s",
                " => => naming to docker.io/library/x                   0.0s",
            ]
        )
        #expect(screen.unknown == [])
        #expect(!screen.cursorIsHidden)
    }

    @Test func showsTheTailOfARunningStep() {
        let sink = Sink()
        var display = TerminalProgress(write: sink.write, size: { (40, 24) })
        for event in small.prefix(12) { display.handle(event) }
        let lines = (1...9).map { "line \($0)\n" }.joined()
        display.handle(event(200, 3, log(lines + "\u{1B}[1mbold\u{1B}[0m\tx 10%\r20%")))
        display.tick(now: time(1500))
        #expect(
            screen(sink, columns: 40).lines == [
                "[+] Building 1.5s (3/5)",
                " => [internal] load build definit  0.0s",
                " => => transferring dockerfi 103B  0.0s",
                " => CACHED [1/3] FROM docker.io/l  0.0s",
                " => CACHED [2/3] WORKDIR /usr/src  0.0s",
                " => [3/3] RUN make                 1.5s",
                " => => # 0.190 line 5", " => => # 0.190 line 6", " => => # 0.190 line 7", " => => # 0.190 line 8",
                " => => # 0.190 line 9", " => => # 0.190 20%",
            ]
        )
    }

    @Test func fitsIntoFewRows() {
        let sink = Sink()
        var display = TerminalProgress(write: sink.write, size: { (40, 6) })
        display.handle(event(0, 0, .started(name: "slow")))
        for step in 1...8 {
            display.handle(event(UInt64(step), step, .started(name: "step \(step)")))
            display.handle(event(UInt64(step), step, .completed))
        }
        display.tick(now: time(2000))
        #expect(
            screen(sink, columns: 40).lines == [
                "[+] Building 2.0s (8/9)",
                " => slow                           2.0s",
                " => step 6                         0.0s",
                " => step 7                         0.0s",
                " => step 8                         0.0s",
            ]
        )
    }

    @Test func followsANewWidth() {
        let sink = Sink()
        let size = FakeSize(60, 24)
        var display = TerminalProgress(write: sink.write, size: { size.size })
        display.handle(event(0, 0, .started(name: "[1/2] RUN a rather long command that fills the line")))
        display.tick(now: time(200))
        // A terminal that became half as wide has broken the long line into two.
        size.set(30, 24)
        let before = sink.text.count
        display.tick(now: time(400))
        let redrawing = String(sink.text.dropFirst(before))
        #expect(redrawing.hasPrefix("\u{1B}[3A\r"))
        #expect(redrawing.contains(" => [1/2] RUN a rather   0.4s"))
    }

    @Test func nothingFitsIntoAVeryNarrowTerminal() {
        let sink = Sink()
        var display = TerminalProgress(write: sink.write, size: { (8, 3) })
        for event in small { display.handle(event) }
        display.finish(now: time(2000))
        #expect(screen(sink, columns: 8).lines == ["[+] Bui"])
    }

    @Test func coloursCanBeOff() {
        for (colors, expected) in [(true, true), (false, false)] {
            let sink = Sink()
            var display = TerminalProgress(write: sink.write, size: { (60, 24) }, colors: colors)
            for event in small { display.handle(event) }
            display.finish(now: time(2000))
            #expect(sink.text.contains("\u{1B}[34m") == expected)
        }
    }

    @Test func aFailureEndsWithItsOutput() {
        let sink = Sink()
        var display = TerminalProgress(write: sink.write, size: { (60, 24) }, colors: false)
        display.handle(event(0, 0, .started(name: "[2/2] RUN false")))
        display.handle(event(20, 0, log("oh\n")))
        display.handle(event(30, 0, .failed(BuildFailure("exit code: 1", excerpt: dockerfile))))
        display.finish(now: time(100))
        let lines = screen(sink, columns: 60).lines
        #expect(lines[0] == "[+] Building 0.1s (1/1) FINISHED")
        #expect(lines[1] == " => ERROR [2/2] RUN false                              0.0s")
        #expect(Array(lines[2...6]) == ["------", " > [2/2] RUN false:", "0.020 oh", "------", "Dockerfile:3"])
    }
}

@Suite struct StepLogTests {
    /// What a step writes without ever ending a line neither fills the memory nor takes time by its square.
    @Test func aLineWithoutEndIsBroken() {
        var log = StepLog()
        for _ in 0..<33 { log.append([UInt8](repeating: UInt8(ascii: "y"), count: 2048), elapsed: 0) }
        let lines = log.takeUnprinted()
        #expect(lines.count == 4 && lines.allSatisfy { $0.hasSuffix("yy") && $0.utf8.count < 17 << 10 })
        #expect(log.partial == "0.000 " + String(repeating: "y", count: 2048))
    }
}
