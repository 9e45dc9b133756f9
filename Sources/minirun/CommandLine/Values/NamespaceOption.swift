/// `--pid`, `--ipc`, `--uts`, `--cgroupns`: which namespace a container gets.
enum NamespaceOption: Sendable, Equatable {
    /// The option was not given, or is empty.
    case unspecified
    /// One of its own.
    case `private`
    /// Its own, and others may join it (`--ipc shareable`).
    case shareable
    /// Its own without /dev/shm (`--ipc none`).
    case none
    case host
    /// That of the container with the name or id.
    case container(String)

    static func pid(_ text: String?) throws(ValueError) -> NamespaceOption {
        switch text ?? "" {
        case "": return .unspecified
        case "host": return .host
        case let text:
            if let name = container(text) { return .container(name) }
            throw ValueError("--pid: invalid PID mode")
        }
    }

    static func ipc(_ text: String?) throws(ValueError) -> NamespaceOption {
        switch text ?? "" {
        case "": return .unspecified
        case "host": return .host
        case "private": return .private
        case "shareable": return .shareable
        case "none": return .none
        case let text:
            if let name = container(text) { return .container(name) }
            throw ValueError("invalid IPC mode: \(text)")
        }
    }

    static func uts(_ text: String?) throws(ValueError) -> NamespaceOption {
        switch text ?? "" {
        case "": return .unspecified
        case "host": return .host
        default: throw ValueError("--uts: invalid UTS mode")
        }
    }

    static func cgroup(_ text: String?) throws(ValueError) -> NamespaceOption {
        switch text ?? "" {
        case "": return .unspecified
        case "host": return .host
        case "private": return .private
        default: throw ValueError("--cgroupns: invalid CGROUP mode")
        }
    }

    private static func container(_ text: String) -> String? {
        let (word, name) = text.cut(":")
        guard word == "container", let name, !name.isEmpty else { return nil }
        return name
    }
}
