import LinuxSystem
import OCI

/// `minirun version`
enum VersionCommand {
    static let verb = Verb(
        ["version"],
        "Show the version information",
        usage: "[OPTIONS]",
        arguments: .none,
        common: true,
        options: SystemOptions.version,
        run: run
    )

    private static func run(_ parsed: ParsedArguments) throws -> Int32 {
        let about = VersionInformation(
            kernel: (try? SystemFacts.kernel()) ?? "",
            platform: .host,
            built: VersionInformation.compiler
        )
        switch parsed.value("format") ?? "" {
        case "": Console.print(about.text)
        case "json": Console.print(about.json.text() + "\n")
        case let format: Console.print(try GoTemplate(format).render(about.json) + "\n")
        }
        return 0
    }
}

/// What `version` says. There is no daemon: one program is docker's client and docker's server, and scripts may ask either.
struct VersionInformation {
    let kernel: String
    let platform: Platform
    /// The compiler.
    let built: String

    static var compiler: String {
        #if compiler(>=6.4)
            "Swift 6.4 or later"
        #elseif compiler(>=6.3)
            "Swift 6.3"
        #else
            "Swift 6.2 or earlier"
        #endif
    }

    var text: String {
        """
        Client:
         Version:           \(Version.number)
         Built with:        \(built)
         OS/Arch:           \(platform.os)/\(platform.architecture)

        Engine:
         Version:           \(Version.number)
         Kernel:            \(kernel)
         OS/Arch:           \(platform.os)/\(platform.architecture)

        """
    }

    var json: JSON {
        let version: JSON = .string(Version.number)
        let os: JSON = .string(platform.os)
        let architecture: JSON = .string(platform.architecture)
        let engine: JSON = [
            "Name": "Engine", "Version": version,
            "Details": ["Arch": architecture, "KernelVersion": .string(kernel), "Os": os],
        ]
        return [
            "Client": [
                "Platform": ["Name": "minirun"], "Version": version, "ApiVersion": "", "DefaultAPIVersion": "",
                "GitCommit": "", "GoVersion": "", "Os": os, "Arch": architecture, "BuildTime": "", "Context": "default",
            ],
            "Server": [
                "Platform": ["Name": "minirun"], "Components": [engine], "Version": version, "ApiVersion": "",
                "MinAPIVersion": "", "GitCommit": "", "GoVersion": "", "Os": os, "Arch": architecture,
                "KernelVersion": .string(kernel), "BuildTime": "",
            ],
        ]
    }
}
