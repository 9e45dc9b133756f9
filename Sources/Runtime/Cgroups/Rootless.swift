import LinuxSystem

/// Whether this process has a root's powers over the machine.
package enum Rootless {
    /// True for every user but root, and for the root of a user namespace.
    package static var isCaller: Bool { !Process.isRoot || !isInitialUserNamespace }

    /// The initial user namespace maps every id to itself (user_namespaces(7)).
    private static var isInitialUserNamespace: Bool {
        // A kernel without user namespaces has no such file.
        guard let map = try? Files.readText("/proc/self/uid_map") else { return true }
        return map.split(whereSeparator: \.isWhitespace) == ["0", "0", "4294967295"]
    }
}
