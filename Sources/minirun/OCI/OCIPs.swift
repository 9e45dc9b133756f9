import LinuxSystem
import OCI
import Runtime

/// `minirun oci ps`
enum OCIPs {
    static let verb = OCIVerb(
        "ps",
        "ps displays the processes running inside a container",
        usage: "<container-id> [ps options]",
        arguments: .atLeast(1),
        stopsAtArgument: true,
        options: {
            [
                .value(
                    "format",
                    short: "f",
                    .choice(["table", "json"]),
                    "select one of: table or json",
                    default: "table"
                )
            ]
        },
        run: run
    )

    private static func run(_ call: OCICall) throws -> Int32 {
        let pids = try call.runtime().processes(try call.id())
        switch call.arguments.value("format") ?? "" {
        case "json":
            Console.print((pids.isEmpty ? JSON.null : .array(pids.map { .number($0) })).text() + "\n")
        case "table":
            let words = call.arguments.positional.dropFirst()
            let result = try Subprocess.run(["ps"] + (words.isEmpty ? ["-ef"] : Array(words)))
            guard result.status == .exited(0) else {
                throw EngineError(.failed, "exit status \(result.status.code): \(result.outputText)\(result.errorText)")
            }
            Console.print(try rows(of: result.outputText, pids: Set(pids)))
        default: throw EngineError(.invalid, "invalid format option")
        }
        return 0
    }

    /// The header of what ps(1) prints, and the lines of these processes.
    static func rows(of text: String, pids: Set<Int32>) throws(EngineError) -> String {
        var lines = text.split(separator: "\n")[...]
        guard let header = lines.popFirst(),
            let column = header.split(whereSeparator: \.isWhitespace).firstIndex(of: "PID")
        else { throw EngineError(.failed, "couldn't find PID field in ps output") }
        var rows = "\(header)\n"
        for line in lines {
            let fields = line.split(whereSeparator: \.isWhitespace)
            guard fields.count > column, let pid = Int32(fields[column]) else {
                throw EngineError(.failed, "unable to parse pid: \(line)")
            }
            if pids.contains(pid) { rows += "\(line)\n" }
        }
        return rows
    }
}
