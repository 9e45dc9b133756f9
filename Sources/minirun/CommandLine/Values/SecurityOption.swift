/// `--security-opt`.
enum SecurityOption: Sendable, Equatable {
    case noNewPrivileges(Bool)
    case seccompBuiltin
    case seccompUnconfined
    /// The path of a profile.
    case seccompProfile(String)
    case apparmor(String)
    /// SELinux: "disable" or "type:container_t".
    case label(String)
    /// Nothing of /proc and /sys masked or read-only.
    case systemPathsUnconfined

    init(parsing text: String) throws(ValueError) {
        var (key, value) = text.cut("=")
        if value == nil, key != "no-new-privileges" { (key, value) = text.cut(":") }
        let invalid = ValueError("invalid --security-opt: \(text.goQuoted)")
        switch (key, value) {
        case ("no-new-privileges", nil): self = .noNewPrivileges(true)
        case ("no-new-privileges", .some(let state)):
            guard let state = try? Scalars.boolean(state) else { throw invalid }
            self = .noNewPrivileges(state)
        case (_, nil), (_, ""): throw invalid
        case ("seccomp", "builtin"): self = .seccompBuiltin
        case ("seccomp", "unconfined"): self = .seccompUnconfined
        case ("seccomp", .some(let path)): self = .seccompProfile(path)
        case ("apparmor", .some(let profile)): self = .apparmor(profile)
        case ("label", .some(let label)): self = .label(label)
        case ("systempaths", "unconfined"): self = .systemPathsUnconfined
        default: throw invalid
        }
    }
}
