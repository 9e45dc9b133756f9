import OCI

extension LaunchStep {
    /// The step as data for `--explain=json`: its name, the words that `--explain` shows, and what is not in these words.
    var json: JSON {
        var members: [(key: String, value: JSON)] = [("step", .string(name)), ("does", .string(description))]
        switch self {
        case .overlay(_, let upper, let work, _): members += [("upper", .string(upper)), ("work", .string(work))]
        case .bind(let bind, _), .openTree(let bind, _, _), .attach(let bind, _), .remount(let bind):
            members += [
                ("clear", .strings(bind.clear.names)), ("recursive", .bool(bind.recursive)),
                ("propagation", bind.propagation.map { .string($0.rawValue) } ?? .null),
                ("createSource", .bool(bind.makeSource)), ("copyUp", .bool(bind.copiesUp)),
            ]
        case .hook(let hook): members += [("args", .strings(hook.arguments)), ("env", .strings(hook.environment))]
        case .console(let columns, let rows, _, _, _):
            members += [("columns", .number(columns)), ("rows", .number(rows))]
        case .ids(_, _, _, let umask, _): members += [("umask", umask.map { .string(String($0, radix: 8)) } ?? .null)]
        case .execute(let arguments, let environment, _):
            members += [("args", .strings(arguments)), ("env", .strings(environment))]
        default: break
        }
        return .object(members)
    }

    /// The case's name, as `--explain=json` and tests use it.
    package var name: String {
        switch self {
        case .hide: "hide"
        case .idMap: "idMap"
        case .openTree: "openTree"
        case .timeOffsets: "timeOffsets"
        case .join: "join"
        case .clone: "clone"
        case .newSession: "newSession"
        case .keyring: "keyring"
        case .propagation: "propagation"
        case .layer: "layer"
        case .overlay: "overlay"
        case .rootFolder: "rootFolder"
        case .loopback: "loopback"
        case .oomScore: "oomScore"
        case .becomeRoot: "becomeRoot"
        case .fileSystem: "fileSystem"
        case .bind: "bind"
        case .attach: "attach"
        case .remount: "remount"
        case .link: "link"
        case .device: "device"
        case .ownStreams: "ownStreams"
        case .console: "console"
        case .barrier: "barrier"
        case .hook: "hook"
        case .enterCgroup: "enterCgroup"
        case .unshare: "unshare"
        case .sysctl: "sysctl"
        case .mask: "mask"
        case .readOnly: "readOnly"
        case .folder: "folder"
        case .rootReadOnly: "rootReadOnly"
        case .pivotRoot: "pivotRoot"
        case .attribute: "attribute"
        case .personality: "personality"
        case .scheduler: "scheduler"
        case .ioPriority: "ioPriority"
        case .affinity: "affinity"
        case .memoryPolicy: "memoryPolicy"
        case .hostname: "hostname"
        case .domainname: "domainname"
        case .resourceLimit: "resourceLimit"
        case .ownPipes: "ownPipes"
        case .workingFolder: "workingFolder"
        case .noNewPrivileges: "noNewPrivileges"
        case .seccomp: "seccomp"
        case .boundingSet: "boundingSet"
        case .ids: "ids"
        case .capabilities: "capabilities"
        case .home: "home"
        case .findProgram: "findProgram"
        case .start: "start"
        case .initProcess: "init"
        case .execute: "execute"
        }
    }
}
