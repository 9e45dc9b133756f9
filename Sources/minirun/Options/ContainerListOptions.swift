/// The options of the verbs on containers, apart from `run`.
enum ContainerListOptions {
    static func list() -> [Option] {
        [
            .flag("all", short: "a", "Show all containers (default shows just running)"),
            .list("filter", short: "f", .filter, "Filter output based on conditions provided"),
            .value("format", .text, FormatOptions.table),
            .value("last", short: "n", .integer, "Show n last created containers (includes all states)", default: "-1"),
            .flag("latest", short: "l", "Show the latest created container (includes all states)"),
            .flag("no-trunc", "Don't truncate output"),
            .flag("quiet", short: "q", "Only display container IDs"),
            .flag("size", short: "s", "Display total file sizes"),
        ]
    }

    static func remove() -> [Option] {
        [
            .flag("force", short: "f", "Force the removal of a running container (uses SIGKILL)"),
            .flag("volumes", short: "v", "Remove anonymous volumes associated with the container"),
        ]
    }

    /// `container inspect`.
    static func inspect() -> [Option] {
        [
            .value("format", short: "f", .text, FormatOptions.object),
            .flag("size", short: "s", "Display total file sizes"),
        ]
    }

    static func prune() -> [Option] {
        [
            .list("filter", .filter, "Provide filter values (e.g. \"until=<timestamp>\")"),
            .flag("force", short: "f", "Do not prompt for confirmation"),
        ]
    }

    static func start() -> [Option] {
        [
            .flag("attach", short: "a", "Attach STDOUT/STDERR and forward signals"),
            // There is nothing to detach from.
            .value("detach-keys", .text, "Override the key sequence for detaching a container").passes(),
            .flag("interactive", short: "i", "Attach container's STDIN"),
        ]
    }

    static func kill() -> [Option] {
        [.value("signal", short: "s", .text, "Signal to send to the container")]
    }

    static func stop() -> [Option] {
        [
            .value("signal", short: "s", .text, "Signal to send to the container"),
            .value("timeout", short: "t", .integer, "Seconds to wait before killing the container"),
            .alias("time", of: "timeout"),
        ]
    }
}
