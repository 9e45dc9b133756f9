import LinuxSystem
import OCI
import Runner
import Runtime

/// `minirun oci list`
enum OCIList {
    static let verb = OCIVerb(
        "list",
        "lists containers started with the given root",
        usage: "",
        arguments: .none,
        options: {
            [
                .value(
                    "format",
                    short: "f",
                    .choice(["table", "json"]),
                    "select one of: table or json",
                    default: "table"
                ),
                .flag("quiet", short: "q", "display only container IDs"),
            ]
        },
        run: run
    )

    private static func run(_ call: OCICall) throws -> Int32 {
        var containers: [Container] = []
        // The standard root is made by the first container.
        if call.globals.rootIsGiven || FileStatus.exists(call.globals.root) {
            var runtime = try call.runtime()
            runtime.warn = { Console.complain("\($0)\n") }
            let users = UserDatabase(passwd: try? Files.read("/etc/passwd"), group: nil)
            containers = try runtime.all().map { state, status, owner in
                Container(state: state, status: status, owner: users.name(of: owner) ?? "#\(owner)")
            }
        }
        if call.arguments.flag("quiet") {
            Console.print(containers.map { "\($0.state.id)\n" }.joined())
            return 0
        }
        switch call.arguments.value("format") ?? "" {
        case "table": Console.print(table(containers))
        case "json": Console.print(json(containers).text() + "\n")
        default: throw EngineError(.invalid, "invalid format option")
        }
        return 0
    }

    struct Container {
        let state: ContainerState
        let status: ContainerStatus
        let owner: String
    }

    static func table(_ containers: [Container]) -> String {
        let rows = containers.map { container in
            [
                container.state.id, container.status == .stopped ? "0" : "\(container.state.process.pid)",
                container.status.rawValue, container.state.bundle,
                Timestamp.rfc3339(nanoseconds: container.state.created), container.owner,
            ]
        }
        let all = [["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]] + rows
        return Table.align(all.map { $0.joined(separator: "\t") + "\n" }.joined(), narrowest: 12)
    }

    /// As Go writes a list: one without elements is null.
    static func json(_ containers: [Container]) -> JSON {
        containers.isEmpty ? .null : .array(containers.map { $0.state.document($0.status, owner: $0.owner) })
    }
}
