import CLinux

/// What this process got from its caller.
package enum Process {
    /// getenv(3).
    package static func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

    package static var isRoot: Bool { geteuid() == 0 }
}
