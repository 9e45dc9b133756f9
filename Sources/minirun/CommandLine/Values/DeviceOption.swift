import OCI

/// `--device host[:container[:rwm]]`, `--device host:rwm`.
struct DeviceOption: Sendable, Equatable {
    let hostPath: String
    let containerPath: String
    /// Some of r, w and m (mknod).
    let permissions: String

    init(parsing text: String) throws(ValueError) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        if parts.count > 3 || parts[0].isEmpty { throw ValueError("bad format for path: \(text)") }
        hostPath = parts[0]
        switch parts.count {
        case 1: (containerPath, permissions) = (parts[0], "rwm")
        case 2 where DeviceOption.isPermissions(parts[1]): (containerPath, permissions) = (parts[0], parts[1])
        case 2: (containerPath, permissions) = (parts[1], "rwm")
        default: (containerPath, permissions) = (parts[1].isEmpty ? parts[0] : parts[1], parts[2])
        }
        if !DeviceOption.isPermissions(permissions) { throw ValueError("bad mode specified: \(permissions)") }
        if !containerPath.isAbsolutePath { throw ValueError("\(containerPath) is not an absolute path") }
    }

    /// Each letter at most once.
    private static func isPermissions(_ text: String) -> Bool {
        !text.isEmpty && text.allSatisfy { "rwm".contains($0) } && Set(text).count == text.count
    }
}
