import CLinux
import LinuxSystem

/// Where the program starts. Synchronous on purpose: an async root would start threads before the first clone.
@main
struct Main {
    static func main() {
        // A reader of our output that goes away is an error of that write, not the end of a container.
        Signals.ignore(SIGPIPE)
        // And a file that would become larger than the caller allows (RLIMIT_FSIZE).
        Signals.ignore(SIGXFSZ)
        StandardStream.openMissing()
        // What the caller left open is no business of any program that is started from here.
        do throws(SystemError) { try FileDescriptor.closeAtExec(from: 3) } catch {
            Console.complain("minirun: \(error)\n")
            exit(125)
        }
        // Everything is made with the modes that it is meant to have, whatever the caller's mask: a container's `/` is a folder
        // of ours.
        FileModes.useOwnMask()
        let words = Process.arguments
        let arguments = Array(words.dropFirst())
        // A caller may leave the name out: then the file's own counts.
        var called = words.first ?? ""
        if called.isEmpty { called = (try? Link.target("/proc/self/exe")) ?? "" }
        if let program = OCIProgram(called: called) { exit(Console.settled(program.run(arguments))) }
        if arguments.first == "oci" { exit(Console.settled(OCIProgram.verb.run(Array(arguments.dropFirst())))) }
        exit(run(arguments))
    }

    /// Carries one command line out; the result is the exit code.
    static func run(_ arguments: [String]) -> Int32 {
        var helpPath: String?
        let code = perform(arguments, &helpPath)
        return Console.settled(code, failed: helpPath == nil ? 1 : 125)
    }

    private static func perform(_ arguments: [String], _ helpPath: inout String?) -> Int32 {
        do {
            switch try Commands.table.parse(arguments, width: { Terminal.size(1)?.columns ?? 80 }) {
            case .version:
                Console.print("minirun version \(Version.number)\n")
                return 0
            case .text(let text, let toStandardError):
                if toStandardError { Console.complain(text) } else { Console.print(text) }
                return toStandardError ? 1 : 0
            case .completion(let words):
                Console.print(Commands.table.completion(of: words, names: CompletionNames.all).text)
                return 0
            case .manPages(let folder):
                let pages = Commands.table.manPages(
                    version: Version.number,
                    runtime: OCICommands.table,
                    runtimeOptions: OCIGlobals.options
                )
                for page in pages {
                    try Files.write("\(folder)/\(page.file)", Array(page.text.utf8), mode: 0o644)
                    for link in page.links {
                        try Files.remove("\(folder)/\(link)")
                        try Link.create("\(folder)/\(link)", to: page.file)
                    }
                }
                return 0
            case .verb(let verb, let parsed):
                if verb.forms.contains("run") { helpPath = parsed.path }
                let globals = parsed.globals
                Console.level = globals.debug ? .debug : Console.Level(globals.logLevel) ?? .info
                Console.debug(
                    "minirun \(Version.number): \(parsed.path), root \(Installation.root(globals)), "
                        + "state \(Installation.state(globals))"
                )
                return try verb.run(parsed)
            }
        } catch {
            let report = ErrorReport(error, helpPath: helpPath)
            Console.complain(report.text + "\n")
            return report.exitCode
        }
    }
}

/// The release.
enum Version {
    static let number = "0.1.0"
    /// What it was made from.
    static let commit = "v\(number)"
}
