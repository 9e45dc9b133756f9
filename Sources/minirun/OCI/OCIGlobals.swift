import CLinux
import LinuxSystem
import OCI
import Runtime

/// The options before the verb: runc's, and those of crun's that callers use.
struct OCIGlobals: Sendable, Equatable {
    var root: String
    /// `--root` was given: it has to be there for `list`.
    var rootIsGiven = false
    /// Absolute.
    var logFile: String?
    var logFormat = OCILog.Format.text
    var debug = false
    var usesSystemd = false
    /// `--cgroup-manager disabled`: the caller wants no cgroup.
    var wantsNoCgroup = false

    static let options: [Option] = [
        .flag("debug", "enable debug logging"),
        .value("log", .file, "set the log file to write logs to (default is '/dev/stderr')"),
        .value("log-format", .choice(["text", "json"]), "set the log format ('text' (default), or 'json')"),
        .value("root", .directory, "root directory for storage of container state (this should be located in tmpfs)"),
        .flag(
            "systemd-cgroup",
            "enable systemd cgroup support, expects cgroupsPath to be of form \"slice:prefix:name\""
        ),
        .value(
            "rootless",
            .choice(["true", "false", "auto"]),
            "accepted and ignored: found out from the caller's rights"
        ),
        .value("cgroup-manager", .choice(["cgroupfs", "systemd", "disabled"]), "who makes cgroups (crun's spelling)"),
        .value("criu", .file, "accepted and ignored"),
        .value("log-level", .choice(["error", "warning", "debug"]), "as --debug (crun's spelling)"),
        .flag("version", short: "v", "print the version"),
    ]

    init(_ parsed: ParsedArguments, directory: String) throws(EngineError) {
        if let given = parsed.value("root"), !given.isEmpty {
            root = Files.absolute(given, from: directory)
            rootIsGiven = true
            guard root != "/" else { throw EngineError(.invalid, "Option --root argument should not be set to /") }
        } else {
            root = OCIGlobals.standardRoot(Process.environment)
        }
        logFile = OCIGlobals.logFile(parsed.value("log") ?? "").map { Files.absolute($0, from: directory) }
        let format = parsed.value("log-format") ?? ""
        guard let known = OCILog.Format(rawValue: format.isEmpty ? "text" : format) else {
            throw EngineError(.invalid, "invalid log-format: \(format)")
        }
        logFormat = known
        debug = parsed.flag("debug") || parsed.value("log-level") == "debug"
        usesSystemd = parsed.flag("systemd-cgroup")
        switch parsed.value("cgroup-manager") ?? "" {
        case "", "cgroupfs": break
        case "disabled": wantsNoCgroup = true
        case "systemd": usesSystemd = true
        case let other: throw EngineError(.invalid, "unknown cgroup manager: \(other)")
        }
        if let rootless = parsed.value("rootless"), rootless != "auto", (try? Scalars.boolean(rootless)) == nil {
            throw EngineError(.invalid, "invalid value for --rootless: \(rootless.goQuoted)")
        }
    }

    /// A path, or as crun has it `file:PATH`. What is meant for the system's log goes to standard error, which callers log.
    private static func logFile(_ text: String) -> String? {
        if text.isEmpty || text.hasPrefix("syslog:") || text.hasPrefix("journald:") { return nil }
        return text.hasPrefix("file:") ? String(text.dropFirst(5)) : text
    }

    /// As runc has it: a folder of the user's own for whoever is not root, and for the root of a user namespace whose
    /// environment does not say that it is root.
    static func standardRoot(_ environment: (String) -> String?) -> String {
        let standard = "/run/minirun-oci"
        guard Rootless.isCaller, let own = environment("XDG_RUNTIME_DIR"), own.isAbsolutePath else { return standard }
        if Process.isRoot, environment("USER") == "root" { return standard }
        return "\(own)/minirun-oci"
    }
}
