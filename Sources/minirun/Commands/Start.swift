import Build
import LinuxSystem
import OCI
import Runner

/// `minirun start`
enum StartCommand {
    static let verb = Verb(
        ["container start", "start"],
        "Start one or more stopped containers",
        usage: "[OPTIONS] CONTAINER [CONTAINER...]",
        arguments: .atLeast(1),
        completes: .container,
        options: ContainerListOptions.start,
        run: run
    )

    private static func run(_ parsed: ParsedArguments) throws -> Int32 {
        var attachment = Attachment()
        attachment.input = parsed.flag("interactive")
        guard parsed.flag("attach") || attachment.input else {
            throw EngineError(.unsupported, "start in the background: not supported yet", hint: "start -a follows it")
        }
        guard parsed.positional.count == 1 else {
            throw EngineError(.invalid, "you cannot start and attach multiple containers at once")
        }
        let engine = try Installation.engine(parsed.globals)
        defer { try? engine.settle() }
        let container = try engine.containers.named(parsed.positional[0])
        if container.options.terminal, attachment.input, !Terminal.isTerminal(0) {
            Console.complain("the input device is not a TTY\n")
            return 1
        }
        return try engine.start(container, attachment).exitCode
    }
}
