import LinuxSystem
import OCI
import Testing

@testable import minirun

@Suite struct OutputTests {
    @Test func controlCharactersAreShown() {
        #expect(Console.visible("a\tb\nc") == "a\tb\nc")
        #expect(Console.visible("\u{1B}]0;x\u{07}\r\u{7F}\u{9B}2Jé\r\n") == "\\x1b]0;x\\x07\\x0d\\x7f\\x9b2Jé\\x0d\n")
    }

    @Test(arguments: [
        (0, "0B"), (999, "999B"), (1000, "1kB"), (4200, "4.2kB"), (133_000_000, "133MB"), (1_234_567, "1.235MB"),
        (999_990, "1MB"), (5_000_000_000, "5GB"), (1_999_000, "1.999MB"),
    ]) func sizes(_ bytes: Int, _ text: String) { #expect(HumanReadable.size(Int64(bytes)) == text) }

    @Test(arguments: [(133_456_789, "133MB"), (7_634_112, "7.63MB"), (999_600, "1MB"), (12_345, "12.3kB")])
    func shortSizes(_ bytes: Int, _ text: String) { #expect(HumanReadable.size(Int64(bytes), digits: 3) == text) }

    @Test(arguments: [(0, "0B"), (1023, "1023B"), (1024, "1KiB"), (1536 << 20, "1.5GiB"), (64 << 20, "64MiB")])
    func binarySizes(_ bytes: Int, _ text: String) { #expect(HumanReadable.binarySize(Int64(bytes)) == text) }

    @Test(arguments: [(2, "2B"), (103, "103B"), (1300, "1.30kB"), (30_430_000, "30.43MB")])
    func progressSizes(_ bytes: Int, _ text: String) { #expect(HumanReadable.progressSize(Int64(bytes)) == text) }

    @Test(arguments: [
        (0, "Less than a second"), (1, "1 second"), (59, "59 seconds"), (60, "About a minute"), (119, "About a minute"),
        (120, "2 minutes"), (3599, "59 minutes"), (3600, "About an hour"), (5399, "About an hour"), (5400, "2 hours"),
        (47 * 3600, "47 hours"), (48 * 3600, "2 days"), (13 * 86400, "13 days"), (14 * 86400, "2 weeks"),
        (59 * 86400, "8 weeks"), (60 * 86400, "2 months"), (700 * 86400, "23 months"), (731 * 86400, "2 years"),
    ]) func durations(_ seconds: Int, _ text: String) {
        #expect(HumanReadable.duration(seconds: Int64(seconds)) == text)
    }

    @Test func times() {
        #expect(HumanReadable.ago(0, now: 3 * 7 * 86400 * 1_000_000_000) == "3 weeks ago")
        #expect(HumanReadable.ago(5, now: 0) == "Less than a second ago")
        #expect(HumanReadable.time(1_709_208_000_500_000_000) == "2024-02-29 12:00:00 +0000 UTC")
    }

    @Test(
        arguments: [
            (0.5, 0, "0"), (1.5, 0, "2"), (2.5, 0, "2"), (0.05, 1, "0.1"), (0.15, 1, "0.1"), (0.25, 1, "0.2"),
            (1.005, 2, "1.00"), (-1.25, 1, "-1.2"), (123.456, 3, "123.456"), (1e15, 1, "1000000000000000.0"),
            (0, 3, "0.000"),
        ] as [(Double, Int, String)]
    ) func fixed(_ value: Double, _ digits: Int, _ text: String) {
        #expect(DecimalText.fixed(value, digits) == text)
    }

    @Test(arguments: [
        ("hello", 5, "hello"), ("hello", 4, "hel…"), ("hello", 1, "h"), ("hello", 0, ""), ("日本語", 6, "日本語"),
        ("日本語", 5, "日本…"), ("日本語", 4, "日…"),
    ]) func ellipses(_ text: String, _ columns: Int, _ result: String) {
        #expect(HumanReadable.ellipsis(text, columns: columns) == result)
    }

    @Test func shortIDs() {
        #expect(HumanReadable.shortID("sha256:0123456789abcdef") == "0123456789ab")
        #expect(HumanReadable.shortID("0123456789abcdef") == "0123456789ab")
    }

    private static let format = ListFormat(
        headers: [("ID", "CONTAINER ID"), ("Image", "IMAGE"), ("Names", "NAMES")],
        standard: "table {{.ID}}\\t{{.Image}}\\t{{.Names}}"
    )
    private static let rows: [JSON] = [
        ["ID": "0123456789ab", "Image": "busybox", "Names": "one"],
        ["ID": "ba9876543210", "Image": "localhost/long-name", "Names": "two"],
    ]

    @Test(
        arguments: [
            (
                nil,
                """
                CONTAINER ID   IMAGE                 NAMES
                0123456789ab   busybox               one
                ba9876543210   localhost/long-name   two

                """
            ),
            (
                "table {{.Names}}\\t{{upper .ID}}",
                "NAMES     CONTAINER ID\none       0123456789AB\ntwo       BA9876543210\n"
            ),
            ("{{.ID}}", "0123456789ab\nba9876543210\n"),
            ("{{.ID}}\\n", "0123456789ab\n\nba9876543210\n\n"),
            (
                "json",
                "{\"ID\":\"0123456789ab\",\"Image\":\"busybox\",\"Names\":\"one\"}\n"
                    + "{\"ID\":\"ba9876543210\",\"Image\":\"localhost/long-name\",\"Names\":\"two\"}\n"
            ),
        ] as [(String?, String)]
    ) func lists(_ format: String?, _ text: String) throws {
        #expect(try Self.format.text(format, rows: Self.rows) == text)
    }

    @Test func emptyListsHaveAHeader() throws {
        #expect(try Self.format.text(nil, rows: []) == "CONTAINER ID   IMAGE     NAMES\n")
        #expect(try Self.format.text("{{.ID}}", rows: []) == "")
    }

    @Test func inspects() throws {
        let object: JSON = ["Id": "x", "State": ["Running": true]]
        #expect(
            try InspectFormat.text(nil, [object])
                == "[\n    {\n        \"Id\": \"x\",\n        \"State\": {\n            \"Running\": true\n"
                + "        }\n    }\n]\n"
        )
        #expect(try InspectFormat.text(nil, []) == "[]\n")
        #expect(try InspectFormat.text("{{.State.Running}}", [object, object]) == "true\ntrue\n")
        #expect(try InspectFormat.text("json", [object]) == "[{\"Id\":\"x\",\"State\":{\"Running\":true}}]\n")
    }

    @Test func errorReports() {
        let hinted = EngineError(.notFound, "no such image: x", hint: "pull it first")
        #expect(ErrorReport(hinted) == ErrorReport(text: "minirun: no such image: x\nhint: pull it first", exitCode: 1))
        let help = "\n\nRun 'minirun run --help' for more information"
        #expect(
            ErrorReport(ValueError("--pid: invalid PID mode"), helpPath: "minirun run")
                == ErrorReport(text: "minirun: --pid: invalid PID mode" + help, exitCode: 125)
        )
        for (kind, code) in [(.commandNotFound, 127), (.commandNotExecutable, 126), (.failed, 125)]
            as [(EngineError.Kind, Int32)]
        {
            #expect(ErrorReport(EngineError(kind, "x"), helpPath: "minirun run").exitCode == code)
        }
        #expect(ErrorReport(EngineError(.failed, "a\nb\u{1B}[31m")).text == "minirun: a b\\x1b[31m")
        #expect(
            ErrorReport(CommandLineError(text: "unknown flag: --x", exitCode: 125))
                == ErrorReport(text: "unknown flag: --x", exitCode: 125)
        )
    }
}
