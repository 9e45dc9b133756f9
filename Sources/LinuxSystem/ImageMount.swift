import CLinux

/// Read-only mounts of file systems that lie in regular files.
package enum ImageMount {
    /// Mounts the image at a folder. Setuid programs and devices in it work, for it is a container's root that it becomes
    /// a part of: who may not reach it must not reach the folder.
    ///
    /// EROFS is mounted from the file itself (Linux 6.12), else over a loop device that goes with the mount.
    package static func mount(_ image: String, at folder: String, type: String) throws(SystemError) {
        do throws(SystemError) { try mount(source: image, at: folder, type: type) } catch {
            // A file where the kernel wants a block device; or a file system whose kind it does not take (EROFS refuses
            // a file on an overlay on an overlay this way).
            guard error.code == ENOTBLK else { throw error }
            try mountLoop(image, at: folder, type: type)
        }
    }

    /// Mounts by way of a loop device, whatever the kernel can do.
    package static func mountLoop(_ image: String, at folder: String, type: String) throws(SystemError) {
        let device = try LoopDevice(try FileDescriptor.open(image))
        // It goes with its last holder: without this an optimized build closes it before the mount holds it.
        defer { withExtendedLifetime(device) {} }
        try mount(source: device.path, at: folder, type: type)
    }

    private static func mount(source: String, at folder: String, type: String) throws(SystemError) {
        let context = FileDescriptor(
            owning: try retrying("opening file system", type) { fsopen(type, UInt32(FSOPEN_CLOEXEC)) }
        )
        let raw = context.raw
        try retrying("mounting", source) {
            source.withRawCString { fsconfig(raw, FSCONFIG_SET_STRING.rawValue, "source", $0, 0) }
        }
        try retrying("mounting", source) { fsconfig(raw, FSCONFIG_SET_FLAG.rawValue, "ro", nil, 0) }
        try retrying("mounting", source) { fsconfig(raw, FSCONFIG_CMD_CREATE.rawValue, nil, nil, 0) }
        let mounted = FileDescriptor(
            owning: try retrying("mounting", source) {
                fsmount(raw, UInt32(FSMOUNT_CLOEXEC), UInt32(MOUNT_ATTR_RDONLY))
            }
        )
        try retrying("mounting on", folder) {
            folder.withRawCString {
                move_mount(mounted.raw, "", AT_FDCWD, $0, UInt32(MOVE_MOUNT_F_EMPTY_PATH))
            }
        }
    }

    /// The numbers by which statfs(2) tells file systems apart.
    package static let erofsMagic = 0xe0f5_e1e2

    /// Whether a file system of this kind is mounted exactly here (statfs(2)). The folder's own must be another.
    package static func isMounted(at folder: String, magic: Int) -> Bool {
        var status = statfs()
        return folder.withRawCString { statfs($0, &status) } == 0 && Int(status.f_type) == magic
    }

    /// Whether the kernel knows the file system; a module is loaded for it.
    package static func isKnown(_ type: String) -> Bool {
        let context = fsopen(type, UInt32(FSOPEN_CLOEXEC))
        if context >= 0 { close(context) }
        return context >= 0
    }

    /// umount2(2): EBUSY while somebody uses it, unless it is only to be detached. False where nothing is mounted.
    @discardableResult
    package static func unmount(_ folder: String, detaching: Bool = false) throws(SystemError) -> Bool {
        if umount2(folder, CInt(UMOUNT_NOFOLLOW) | (detaching ? CInt(MNT_DETACH) : 0)) == 0 { return true }
        guard errno == EINVAL || errno == ENOENT else { throw SystemError("unmounting", folder) }
        return false
    }
}

/// A loop device that shows a file, read-only. It goes when nobody has it open and nothing is mounted from it.
private struct LoopDevice: ~Copyable {
    let path: String
    private let device: FileDescriptor

    init(_ file: borrowing FileDescriptor) throws(SystemError) {
        let control = try FileDescriptor.open("/dev/loop-control", O_RDWR)
        while true {
            let number = try retrying("finding a loop device") { linux_free_loop(control.raw) }
            let path = "/dev/loop\(number)"
            let device = try FileDescriptor.open(path, O_RDWR)
            if linux_configure_loop(device.raw, file.raw) == 0 {
                self.path = path
                self.device = device
                return
            }
            // Somebody else was faster.
            guard errno == EBUSY else { throw SystemError("configuring", path) }
        }
    }
}
