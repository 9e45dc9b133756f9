/// How mount events travel (mount_namespaces(7)).
package enum MountPropagation: String, Equatable, Sendable {
    case `private`, slave, shared, unbindable

    /// MS_*, without MS_REC.
    package var flag: UInt64 {
        switch self {
        case .private: 1 << 18
        case .slave: 1 << 19
        case .shared: 1 << 20
        case .unbindable: 1 << 17
        }
    }
}

/// MOUNT_ATTR_* of mount_setattr(2).
package struct MountAttributes: OptionSet, Equatable, Sendable {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }

    package static let readOnly = MountAttributes(rawValue: 0x01)
    package static let noSetuid = MountAttributes(rawValue: 0x02)
    package static let noDevices = MountAttributes(rawValue: 0x04)
    package static let noExecute = MountAttributes(rawValue: 0x08)
    package static let noAccessTime = MountAttributes(rawValue: 0x10)
    package static let strictAccessTime = MountAttributes(rawValue: 0x20)
    /// The field that the two above are values of: it is cleared before one of them is set.
    package static let accessTimeField = MountAttributes(rawValue: 0x70)
    package static let noFolderAccessTime = MountAttributes(rawValue: 0x80)
    package static let noSymbolicLinks = MountAttributes(rawValue: 0x20_0000)

    package var names: [String] {
        let all: [(MountAttributes, String)] = [
            (.readOnly, "ro"), (.noSetuid, "nosuid"), (.noDevices, "nodev"), (.noExecute, "noexec"),
            (.noAccessTime, "noatime"),
            (.strictAccessTime, "strictatime"), (.noFolderAccessTime, "nodiratime"), (.noSymbolicLinks, "nosymfollow"),
        ]
        return all.filter { contains($0.0) }.map(\.1)
    }
}
