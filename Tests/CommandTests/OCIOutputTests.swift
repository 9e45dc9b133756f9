import OCI
import Testing

@testable import minirun

@Suite struct OCILogTests {
    static let time: UInt64 = 1_795_593_693_123_456_789

    @Test func json() {
        #expect(
            OCILog.line(.error, #"exec: "a": no"#, .json, at: Self.time)
                == #"{"level":"error","msg":"exec: \"a\": no","time":"2026-11-25T08:01:33Z"}"#
        )
    }

    @Test func text() {
        #expect(
            OCILog.line(.error, "container does not exist", .text, at: Self.time)
                == #"time="2026-11-25T08:01:33Z" level=error msg="container does not exist""#
        )
        #expect(
            OCILog.line(.warning, "a/b-c.d_e@f^g+h", .text, at: Self.time)
                == #"time="2026-11-25T08:01:33Z" level=warning msg=a/b-c.d_e@f^g+h"#
        )
        #expect(OCILog.line(.debug, "a\n\"b\"", .text, at: Self.time).hasSuffix(#"msg="a\n\"b\"""#))
    }

    @Test func terminal() {
        #expect(
            OCILog.terminalLine(.error, "container does not exist")
                == "\u{1B}[31mERRO\u{1B}[0m[0000] container does not exist                    "
        )
    }
}

@Suite struct SignalNameTests {
    @Test(
        arguments: [
            ("0", 0), ("9", 9), ("64", 64), ("KILL", 9), ("SIGKILL", 9), ("kill", 9), ("SigTerm", 15), ("USR1", 10),
            ("SYS", 31), ("CHLD", 17), ("CLD", 17), ("POLL", 29), ("IO", 29), ("IOT", 6), ("RTMIN", 34),
            ("RTMIN+3", 37),
            ("SIGRTMAX-1", 63), ("RTMAX", 64),
        ] as [(String, Int32)]
    )
    func number(_ text: String, _ number: Int32) { #expect(SignalName.number(text) == number) }

    @Test(arguments: ["FOO", "", "SIG", "65", "-1", "RTMIN+31", "RTMAX-31", "RTMIN3", "9x"]) func unknown(
        _ text: String
    ) {
        #expect(SignalName.number(text) == nil)
    }
}

@Suite struct OCIPsTests {
    static let output = """
        UID          PID    PPID  C STIME TTY          TIME CMD
        root           1       0  0 07:57 ?        00:00:01 init
        root         775       1  0 08:46 ?        00:00:00 sleep 1000

        """

    @Test func picksRows() throws {
        #expect(
            try OCIPs.rows(of: Self.output, pids: [775]) == """
                UID          PID    PPID  C STIME TTY          TIME CMD
                root         775       1  0 08:46 ?        00:00:00 sleep 1000

                """
        )
        #expect(try OCIPs.rows(of: Self.output, pids: []).split(separator: "\n").count == 1)
    }

    @Test(arguments: ["", "UID CMD\nroot init\n"]) func needsNumbers(_ text: String) {
        let error = #expect(throws: EngineError.self) { _ = try OCIPs.rows(of: text, pids: []) }
        #expect(error?.message == "couldn't find PID field in ps output")
    }
}

@Suite struct OCIListTests {
    @Test func emptyTable() {
        #expect(OCIList.table([]) == "ID          PID         STATUS      BUNDLE      CREATED     OWNER\n")
    }

    @Test func emptyJSON() { #expect(OCIList.json([]).text() == "null") }
}
