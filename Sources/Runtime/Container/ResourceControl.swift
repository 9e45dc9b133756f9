import CLinux
import LinuxSystem
import OCI

/// A group of resctrl: shares of the cache and of the memory's bandwidth (config-linux.md#intelrdt).
enum ResourceControl {
    private static let root = "/sys/fs/resctrl"

    /// Puts a process into its group, which is made where it is missing. Returns the group's folder if it was made.
    static func place(_ spec: RuntimeSpec, id: String, pid: pid_t, _ undo: Undo) throws -> String? {
        guard let group = spec.linux.intelRdt else { return nil }
        guard FileStatus.exists("\(root)/schemata") else {
            throw EngineError(.unsupported, "intelRdt is specified in config, but resctrl is not mounted on \(root)")
        }
        let folder = group.closID == "/" ? root : "\(root)/\(group.closID ?? id)"
        var schemata = group.schemata
        if let line = group.l3CacheSchema { schemata.insert(line, at: 0) }
        if let line = group.memBwSchema { schemata.insert(line, at: 0) }
        var made: String?
        if !FileStatus.exists(folder) {
            guard group.closID == nil || !schemata.isEmpty else {
                throw EngineError(.notFound, "intelRdt: the group \(folder) does not exist and no schemata make it")
            }
            try Files.makeDirectories(folder)
            made = folder
            undo.arm { rmdir(folder) }
        }
        for line in schemata { try Files.overwrite("\(folder)/schemata", "\(line)\n") }
        if group.enableMonitoring {
            let monitored = "\(folder)/mon_groups/\(id)"
            try Files.makeDirectories(monitored)
            undo.arm { rmdir(monitored) }
            try Files.overwrite("\(monitored)/tasks", "\(pid)")
        }
        try Files.overwrite("\(folder)/tasks", "\(pid)")
        return made
    }

    static func remove(_ group: String) throws(SystemError) {
        if rmdir(group) != 0, errno != ENOENT { throw SystemError("removing", group) }
    }
}

/// Network devices that go to the container (config-linux.md#network-devices).
enum NetworkDevices {
    static func move(_ devices: [String: RuntimeSpec.NetDevice], into pid: pid_t) throws {
        for (name, device) in devices.sorted(by: { $0.key < $1.key }) {
            try retrying("moving network device \(name)") { linux_move_network_device(name, device.name ?? name, pid) }
        }
    }
}

/// The maps of a user namespace that is joined by path.
enum UserNamespaceMaps {
    static func read(_ namespace: borrowing FileDescriptor) throws(SystemError) -> (users: String, groups: String) {
        var users = [CChar](repeating: 0, count: 4096)
        var groups = [CChar](repeating: 0, count: 4096)
        try retrying("reading the maps of a user namespace") {
            linux_read_id_maps(namespace.raw, &users, &groups, 4096)
        }
        func text(_ bytes: [CChar]) -> String {
            String(decoding: bytes.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        }
        return (text(users), text(groups))
    }
}
