import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// A bundle that several runtimes get, and what is looked at. Whatever a guest or the host sees becomes lines of
/// "key" → "text", without the names that differ from run to run.
struct Scenario: Sendable, CustomStringConvertible {
    enum View: Sendable {
        /// The guest's report of a `run`; the paths are looked at, too.
        case report([String])
        /// What a line of shell prints, and its code.
        case script(String)
        /// The code only: both refuse it or neither does.
        case refusal
        /// The guest's report of a `run` on a terminal.
        case terminal
        /// The guest's report of an `exec` with these options.
        case exec([String])
        /// The files of the control groups after `create`.
        case groups([String])
    }

    let name: String
    let view: View
    let prepare: @Sendable (Bundle) throws -> Void

    init(_ name: String, _ view: View = .report([]), prepare: @escaping @Sendable (Bundle) throws -> Void) {
        self.name = name
        self.view = view
        self.prepare = prepare
    }

    var description: String { name }

    /// What this runtime makes of the bundle.
    func look(with runtime: OCIRuntime) throws -> [String: String] {
        let bundle = try Bundle(runtime)
        try prepare(bundle)
        var lines: [String: String] = [:]
        switch view {
        case .report(let paths):
            bundle.config.set("process.args", .strings(["/guest", "report"] + paths))
            lines = try Scenario.lines(of: bundle.run(), in: bundle)
        case .script(let script):
            let outcome = try bundle.run(script: script)
            lines = ["code": "\(outcome.code)", "output": Scenario.plain(outcome.out, in: bundle)]
        case .refusal:
            let outcome = try bundle.run()
            lines = ["refused": "\(outcome.code != 0)"]
        case .terminal:
            try bundle.writeConfiguration()
            let session = try Session(
                onTerminal: bundle.command(["run", "--bundle", bundle.folder, bundle.id]),
                environment: BlackBox.environment(),
                columns: 91,
                rows: 19
            )
            let status = try session.wait()
            let text = String(session.seen.unicodeScalars.filter { $0 != "\r" })
            lines = try Scenario.lines(of: Outcome(status: status, out: text, err: ""), in: bundle)
        case .exec(let options):
            try bundle.launch()
            lines = try Scenario.lines(of: bundle.exec(["/guest", "report"], options: options), in: bundle)
        case .groups(let files):
            let outcome = try bundle.create()
            lines = ["code": "\(outcome.code)"]
            for file in files { lines[file] = Scenario.group(file, of: bundle) }
            for hierarchy in Leftovers.hierarchies where !hierarchy.hasSuffix("/unified") {
                let name = hierarchy.split(separator: "/").last ?? ""
                lines["has \(name)"] = "\(FileStatus.exists("\(hierarchy)/\(bundle.id)"))"
            }
        }
        return lines
    }

    private static func group(_ file: String, of bundle: Bundle) -> String {
        for group in Leftovers.groups(named: bundle.id) where FileStatus.exists("\(group)/\(file)") {
            return ((try? Files.readText("\(group)/\(file)")) ?? "?").split(separator: "\n").sorted().joined(
                separator: ";"
            )
        }
        return "absent"
    }
}

// MARK: - what runs share

extension Scenario {
    /// Names that every run has its own of.
    private static func plain(_ text: String, in bundle: Bundle) -> String {
        text.replacing(bundle.folder, with: "BUNDLE").replacing(bundle.id, with: "ID")
    }

    private static func lines(of outcome: Outcome, in bundle: Bundle) throws -> [String: String] {
        guard outcome.code == 0, let report = try? JSON.parse(Array(outcome.out.utf8)) else {
            return ["refused": "true"]
        }
        var lines: [String: String] = ["refused": "false"]
        for (key, value) in report.object ?? [] {
            switch key {
            case "mounts": addMounts(value, to: &lines, in: bundle)
            case "namespaces":
                for (kind, link) in value.object ?? [] { lines["namespace \(kind)"] = namespace(kind, link.string) }
            case "descriptors":
                for file in value.array ?? [] {
                    let target = file["target"]?.string ?? ""
                    lines["descriptor \(file["number"]?.int ?? -1)"] = String(target.prefix { $0 != ":" && $0 != "[" })
                }
            case "devices":
                for node in value.array ?? [] {
                    let words = ["type", "major", "minor", "mode", "uid", "gid"].map {
                        node[$0]?.string ?? node[$0]?.text() ?? ""
                    }
                    lines["device \(node["name"]?.string ?? "")"] = words.joined(separator: " ")
                }
            case "paths":
                for (path, what) in value.object ?? [] {
                    for (name, one) in what.object ?? [] where !volatile.contains(name) {
                        lines["path \(plain(path, in: bundle)) \(name)"] = plain(one.string ?? one.text(), in: bundle)
                    }
                }
            case "environment":
                lines[key] = (value.strings ?? []).sorted().map { plain($0, in: bundle) }.joined(separator: " ")
            case "pid", "ppid": lines[key] = (value.int ?? 0) > 1 ? "many" : value.text()
            case "sid", "pgid": lines[key] = value == report["pid"] ? "the pid" : value.int == 0 ? "outside" : "another"
            case "signals_ignored", "signals_blocked":
                // 32 and 33 are the C library's own.
                lines[key] = (value.strings ?? []).filter { Int($0) == nil }.joined(separator: " ")
            case "keyring_serial", "arguments", "kernel", "machine": break
            default: flatten(key, value, to: &lines, in: bundle)
            }
        }
        // What lies over a masked path is the runtime's business: "masked" and "path" say what is seen there.
        for path in bundle.config["linux"]?["maskedPaths"]?.strings ?? [] {
            for name in ["type", "root", "source", "options", "data", "propagation"] {
                lines["mount \(path) \(name)"] = nil
            }
        }
        lines["sysctls kernel.ns_last_pid"] = nil
        return lines
    }

    private static let volatile: Set<String> = [
        "inode", "device", "blocks", "mtime", "mtime_nanoseconds", "size", "links",
    ]

    private static func flatten(_ key: String, _ value: JSON, to lines: inout [String: String], in bundle: Bundle) {
        if let members = value.object {
            for (name, member) in members { flatten("\(key) \(name)", member, to: &lines, in: bundle) }
        } else if let elements = value.array, elements.contains(where: { $0.object != nil }) {
            for (index, element) in elements.enumerated() {
                flatten("\(key) \(index)", element, to: &lines, in: bundle)
            }
        } else if let words = value.strings {
            lines[key] = plain(words.joined(separator: " | "), in: bundle)
        } else {
            lines[key] = plain(value.string ?? value.text(), in: bundle)
        }
    }

    private static func namespace(_ kind: String, _ link: String?) -> String {
        let file = kind == "pid_for_children" ? "pid_for_children" : kind
        return link == (try? Link.target("/proc/self/ns/\(file)")) ? "host" : link == nil ? "none" : "own"
    }

    /// By place, the last one of several on the same; peer groups without their numbers.
    private static func addMounts(_ mounts: JSON, to lines: inout [String: String], in bundle: Bundle) {
        var order: [String] = []
        for mount in mounts.array ?? [] {
            let text = { (name: String) in plain(mount[name]?.string ?? "", in: bundle) }
            let place = text("mountpoint")
            order.append(place)
            lines["mount \(place) type"] = text("type")
            lines["mount \(place) root"] = text("root")
            lines["mount \(place) source"] = text("source")
            lines["mount \(place) options"] = text("options").split(separator: ",").sorted().joined(separator: ",")
            lines["mount \(place) data"] = text("super_options").split(separator: ",").sorted().joined(separator: ",")
            lines["mount \(place) propagation"] = String(text("propagation").prefix { $0 != ":" })
        }
        lines["mounts"] = order.sorted().joined(separator: " ")
    }
}
