/// What a step does, as a verb in -ing form: `--explain` lists these, and a failed step's error begins with it.
extension LaunchStep: CustomStringConvertible {
    package var description: String {
        switch self {
        case .clone(let flags, let cgroup):
            "cloning a process into new namespaces (\(flags.names.joined(separator: ", ")))"
                + (cgroup.map { " and cgroup \($0)" } ?? "")
        case .hide: "hiding from the container's processes"
        case .idMap(let map, _):
            "making an id map (users \(Self.oneLine(map.users)); groups \(Self.oneLine(map.groups)))"
        case .openTree(let bind, _, let idMap):
            "opening mount source \(bind.source)"
                + Self.parentheses(bind.words(mapped: idMap != nil))
        case .timeOffsets(let text):
            "entering a new time namespace" + (text.isEmpty ? "" : " (\(Self.oneLine(text)))")
        case .join(let flags, _, let name): "joining \(name) (\(flags.names.joined(separator: ", ")))"
        case .newSession: "starting a new session"
        case .keyring: "joining a new session keyring"
        case .propagation(let kind, let recursive, let path):
            "making \(path == "/" && recursive ? "all mounts" : "the mount on \(path)") \(kind.rawValue)"
        case .layer(let path): "opening layer \(path)"
        case .overlay(let mountPoint, _, _, let options):
            "mounting the root overlay on \(mountPoint)" + (options.isEmpty ? "" : " (\(options))")
        case .rootFolder(let path, _): "taking \(path) as the root"
        case .loopback: "bringing the loopback interface up"
        case .oomScore(let score): "setting oom_score_adj to \(score)"
        case .becomeRoot: "becoming root of the user namespace"
        case .fileSystem(let mount):
            "mounting \(mount.type) on \(mount.target)"
                + Self.parentheses(
                    mount.attributes.names + (mount.options.isEmpty ? [] : [mount.options])
                        + (mount.copiesUp ? ["tmpcopyup"] : [])
                )
        case .bind(let bind, let idMap):
            "binding \(bind.source) to \(bind.target)" + Self.parentheses(bind.words(mapped: idMap != nil))
        case .attach(let bind, _): "mounting the opened \(bind.source) on \(bind.target)"
        case .remount(let bind): "changing the mount on \(bind.target)" + Self.parentheses(bind.words())
        case .link(let path, let target): "linking \(path) to \(target)"
        case .device(let path, let kind, let mode, let major, let minor, _, _):
            "creating device \(path) (\(kind == 0o060000 ? "b" : kind == 0o010000 ? "p" : "c") \(major):\(minor), mode \(String(mode, radix: 8)))"
        case .ownStreams(let inherits):
            inherits
                ? "taking the container's own devices as standard streams"
                : "taking the host's devices and files off the standard streams"
        case .console: "opening a terminal"
        case .barrier: "waiting for the engine"
        case .hook(let hook): "running \(hook.kind) hook #\(hook.index) (\(hook.path))"
        case .enterCgroup(.file(let file)): "entering cgroup \(file)"
        case .enterCgroup(.descriptor(_, let name)): "entering cgroup \(name)"
        case .unshare(let flags): "entering new namespaces (\(flags.names.joined(separator: ", ")))"
        case .sysctl(let key, let value): "setting sysctl \(key) to \(value)"
        case .mask(let path): "masking \(path)"
        case .readOnly(let path): "making \(path) read-only"
        case .folder(let path): "making folder \(path) where it is missing"
        case .rootReadOnly: "making the root read-only"
        case .pivotRoot(let change): "changing the root" + (change == .pivot ? "" : " (\(change.rawValue))")
        case .attribute(let file, let value): "setting the label for the program (\(file): \(value))"
        case .personality(let value): "setting the personality to 0x\(String(value, radix: 16))"
        case .scheduler(_, let name): "setting the scheduler to \(name)"
        case .ioPriority(_, let name): "setting the I/O priority to \(name)"
        case .affinity(_, let list): "binding to processors \(list)"
        case .memoryPolicy(_, _, let name): "setting the memory policy to \(name)"
        case .hostname(let name): "setting the host name to \(name)"
        case .domainname(let name): "setting the domain name to \(name)"
        case .resourceLimit(_, let name, let soft, let hard):
            "limiting \(name) to \(Self.limit(soft)):\(Self.limit(hard))"
        case .ownPipes(let uid, let gid): "giving the standard pipes to \(uid):\(gid)"
        case .workingFolder(let path): "changing to working folder \(path)"
        case .noNewPrivileges: "giving up new privileges"
        case .seccomp(let filter): "loading the seccomp filter (\(filter.instructionCount) instructions)"
        case .boundingSet(let set): "bounding capabilities to " + Self.list(set)
        case .ids(let uid, let gid, let groups, _, _):
            "becoming user \(uid):\(gid)"
                + (groups.isEmpty ? "" : " with groups " + groups.map(String.init).joined(separator: ", "))
        case .capabilities(let effective, let permitted, let inheritable, let ambient):
            "setting capabilities: "
                + (effective == permitted
                    ? Self.list(permitted) : "permitted \(Self.list(permitted)); effective \(Self.list(effective))")
                + (inheritable.isEmpty ? "" : "; inheritable \(Self.list(inheritable))")
                + (ambient.isEmpty ? "" : "; ambient \(Self.list(ambient))")
        case .home: "finding the user's home"
        case .findProgram(let arguments, _, _): "finding \(arguments.first ?? "")"
        case .start: "waiting to be started"
        case .initProcess: "staying as init"
        case .execute(let arguments, _, _): "executing \(arguments.joined(separator: " "))"
        }
    }

    private static func oneLine(_ text: String) -> String {
        text.split(separator: "\n").joined(separator: ", ")
    }

    private static func parentheses(_ words: [String]) -> String {
        words.isEmpty ? "" : " (\(words.joined(separator: ",")))"
    }

    private static func limit(_ value: UInt64) -> String { value == .max ? "unlimited" : String(value) }

    private static func list(_ set: CapabilitySet) -> String {
        set.isEmpty ? "none" : set == .all ? "all" : set.names.map { String($0.dropFirst(4)) }.joined(separator: ", ")
    }
}

extension BindMount {
    /// Its attributes as options of fstab.
    fileprivate func words(mapped: Bool = false) -> [String] {
        self.set.names + recursiveSet.names.map { "r\($0)" } + (copiesUp ? ["copyup"] : [])
            + (mapped ? [mapRecursive ? "ridmap" : "idmap"] : [])
    }
}
