import CLinux
import LinuxSystem
import OCI
import Runtime

/// The command line of an OCI runtime: `minirun oci …`, and `minirun-oci …` through a link of that name.
struct OCIProgram: Sendable {
    /// How messages name it: "minirun-oci".
    let name: String
    /// How it was called: "minirun oci".
    let path: String

    /// `minirun oci`.
    static let verb = OCIProgram(name: "minirun-oci", path: "minirun oci")

    /// The program that a link of this name stands for; nil for minirun itself, and for docker, whose command line that is.
    /// Engines install a runtime under any name, so every other one is the runtime's.
    init?(called path: String) {
        let start = path.utf8.lastIndex(of: UInt8(ascii: "/")).map(path.utf8.index(after:)) ?? path.startIndex
        let name = String(path[start...])
        guard !["", "minirun", "docker"].contains(name) else { return nil }
        self.init(name: name, path: name)
    }

    private init(name: String, path: String) {
        self.name = name
        self.path = path
    }

    /// Carries one command line out; the result is the exit code.
    func run(_ arguments: [String]) -> Int32 {
        // Before anything is opened.
        let inherited = FileDescriptor.openWithoutGap(from: 3)
        let directory = Files.workingDirectory
        let globals: OCIGlobals
        let before: (arguments: ParsedArguments, wantsHelp: Bool)
        let log: OCILog
        do {
            let parser = FlagParser(options: OCIGlobals.options, stopsAtArgument: true, path: path)
            before = try parser.parse(arguments[...])
            globals = try OCIGlobals(before.arguments, directory: directory)
            log = try OCILog(globals)
        } catch {
            if error is FlagError { Console.print("Incorrect Usage: \(error)\n\n\(help)") }
            OCILog().fail("\(error)")
            return 1
        }
        if before.arguments.flag("version") {
            Console.print(version)
            return 0
        }
        let words = before.arguments.positional
        guard !before.wantsHelp, let word = words.first else {
            Console.print(help)
            return 0
        }
        if word == "help" || word == "h" { return help(on: words.dropFirst().first, log) }
        guard let verb = OCICommands.verb(word) else {
            log.fail("No help topic for '\(word)'")
            return 3
        }
        return run(verb, words.dropFirst(), globals, log, directory: directory, inherited: inherited)
    }

    private func run(
        _ verb: OCIVerb,
        _ words: ArraySlice<String>,
        _ globals: OCIGlobals,
        _ log: OCILog,
        directory: String,
        inherited: Int
    ) -> Int32 {
        let parsed: ParsedArguments
        do throws(FlagError) {
            let parser = FlagParser(
                options: verb.options(),
                stopsAtArgument: verb.stopsAtArgument,
                path: "\(path) \(verb.name)"
            )
            let (arguments, wantsHelp) = try parser.parse(words)
            if wantsHelp {
                Console.print(help(for: verb))
                return 0
            }
            parsed = arguments
            try check(arguments.positional.count, of: verb)
        } catch {
            Console.print("Incorrect Usage: \(error)\n\n\(help(for: verb))")
            log.fail("\(error)")
            return 1
        }
        let call = OCICall(
            program: self,
            globals: globals,
            log: log,
            arguments: parsed,
            directory: directory,
            inherited: inherited
        )
        do {
            return try verb.run(call)
        } catch {
            return report(error, of: verb, log)
        }
    }

    private func help(on topic: String?, _ log: OCILog) -> Int32 {
        guard let topic else {
            Console.print(help)
            return 0
        }
        guard let verb = OCICommands.verb(topic) else {
            log.fail("No help topic for '\(topic)'")
            return 3
        }
        Console.print(help(for: verb))
        return 0
    }

    /// In runc's words.
    private func check(_ count: Int, of verb: OCIVerb) throws(FlagError) {
        guard !verb.arguments.allows(count) else { return }
        func demand(_ what: String, _ number: Int) -> FlagError {
            FlagError("\(name): \"\(verb.name)\" requires \(what) \(number) argument(s)")
        }
        switch verb.arguments {
        case .none: throw demand("exactly", 0)
        case .exactly(let number): throw demand("exactly", number)
        case .atLeast(let least): throw demand("a minimum of", least)
        case .atMost(let most): throw demand("a maximum of", most)
        case .between(let least, let most):
            throw count < least ? demand("a minimum of", least) : demand("a maximum of", most)
        }
    }

    /// Tells of a failure, and returns the exit code.
    private func report(_ error: any Error, of verb: OCIVerb, _ log: OCILog) -> Int32 {
        if let failure = error as? ExecutionFailure {
            log.failAsProgram("\(failure)")
            return verb.failure == .plain ? 1 : 255
        }
        var message = "\(error)"
        if let hint = (error as? EngineError)?.hint { message += " (\(hint))" }
        switch verb.failure {
        case .plain:
            log.fail(message)
            return 1
        case .named:
            log.fail("\(name) \(verb.name) failed: \(message)")
            return 1
        case .exec:
            log.fail("exec failed: \(message)")
            return 255
        }
    }
}
