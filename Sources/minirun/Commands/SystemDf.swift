import Build
import Images
import LinuxSystem
import OCI
import Runner

/// `minirun system df`: what everything takes on the disk, in the bytes that du(1) counts.
enum SystemDfCommand {
    static let verb = Verb(
        ["system df"],
        "Show disk usage",
        usage: "[OPTIONS]",
        arguments: .none,
        options: SystemOptions.diskUsage,
        run: run
    )

    private static func run(_ parsed: ParsedArguments) throws -> Int32 {
        let format = parsed.value("format") ?? ""
        let text = try Installation.reading(parsed.globals) { engine in
            let report = try DiskReport(engine)
            for digest in report.usage.damaged.sorted(by: { $0.hex < $1.hex }) {
                Console.complain(
                    "WARNING: \(digest) or its configuration is damaged: what only it needs is counted as leftovers\n"
                )
            }
            if !parsed.flag("verbose") { return try DiskReport.summaryFormat.text(format, rows: report.summary) }
            if format.isEmpty || format == "table" { return try report.verbose }
            let all = report.json
            return try format == "json" ? all.text() + "\n" : GoTemplate(format).render(all) + "\n"
        }
        Console.print(text)
        return 0
    }
}
