/// What a step does, as a verb in -ing form: `--explain` lists these, and a failed step's error begins with it.
extension LaunchStep: CustomStringConvertible {
    package var description: String {
        switch self {
        case .clone(let flags, let cgroup):
            "cloning a process into new namespaces (\(flags.names.joined(separator: ", ")))"
                + (cgroup.map { " and cgroup \($0)" } ?? "")
        case .newSession: "starting a new session"
        case .propagation(let kind): "making all mounts \(kind.rawValue)"
        case .layer(let path): "opening layer \(path)"
        case .overlay(let mountPoint, _, _, let options):
            "mounting the root overlay on \(mountPoint)" + (options.isEmpty ? "" : " (\(options))")
        case .rootFolder(let path): "taking \(path) as the root"
        case .loopback: "bringing the loopback interface up"
        case .oomScore(let score): "setting oom_score_adj to \(score)"
        case .fileSystem(let type, let target, _, let options, let attributes):
            "mounting \(type) on \(target)" + Self.parentheses(attributes.names + (options.isEmpty ? [] : [options]))
        case .bind(let bind): "binding \(bind.source) to \(bind.target)" + Self.parentheses(bind.set.names)
        case .link(let path, let target): "linking \(path) to \(target)"
        case .device(let path, let kind, let mode, let major, let minor, _, _):
            "creating device \(path) (\(kind == 0o060000 ? "b" : kind == 0o010000 ? "p" : "c") \(major):\(minor), mode \(String(mode, radix: 8)))"
        case .ownStreams: "taking the host's devices and files off the standard streams"
        case .console: "opening a terminal"
        case .barrier: "waiting for the engine"
        case .enterCgroup(let tasks): "entering cgroup \(tasks)"
        case .unshare(let flags): "entering new namespaces (\(flags.names.joined(separator: ", ")))"
        case .sysctl(let key, let value): "setting sysctl \(key) to \(value)"
        case .mask(let path): "masking \(path)"
        case .readOnly(let path): "making \(path) read-only"
        case .rootReadOnly: "making the root read-only"
        case .pivotRoot: "changing the root"
        case .hostname(let name): "setting the host name to \(name)"
        case .domainname(let name): "setting the domain name to \(name)"
        case .resourceLimit(_, let name, let soft, let hard):
            "limiting \(name) to \(Self.limit(soft)):\(Self.limit(hard))"
        case .ownPipes(let uid, let gid): "giving the standard pipes to \(uid):\(gid)"
        case .workingFolder(let path, _, _): "changing to working folder \(path)"
        case .noNewPrivileges: "giving up new privileges"
        case .seccomp(let filter): "loading the seccomp filter (\(filter.instructionCount) instructions)"
        case .boundingSet(let set): "bounding capabilities to " + Self.list(set)
        case .ids(let uid, let gid, let groups, _):
            "becoming user \(uid):\(gid)"
                + (groups.isEmpty ? "" : " with groups " + groups.map(String.init).joined(separator: ", "))
        case .capabilities(let effective, let permitted, let inheritable, let ambient):
            "setting capabilities: "
                + (effective == permitted
                    ? Self.list(permitted) : "permitted \(Self.list(permitted)); effective \(Self.list(effective))")
                + (inheritable.isEmpty ? "" : "; inheritable \(Self.list(inheritable))")
                + (ambient.isEmpty ? "" : "; ambient \(Self.list(ambient))")
        case .initProcess: "staying as init"
        case .execute(let arguments, _): "executing \(arguments.joined(separator: " "))"
        }
    }

    private static func parentheses(_ words: [String]) -> String {
        words.isEmpty ? "" : " (\(words.joined(separator: ",")))"
    }

    private static func limit(_ value: UInt64) -> String { value == .max ? "unlimited" : String(value) }

    private static func list(_ set: CapabilitySet) -> String {
        set.isEmpty ? "none" : set == .all ? "all" : set.names.map { String($0.dropFirst(4)) }.joined(separator: ", ")
    }
}
