import CLinux
import LinuxSystem
import OCI

/// What a container without a mount namespace mounts is mounted on the host, and stays there when its processes are gone: its
/// end takes away what its making has brought.
package struct HostMounts: Equatable, Sendable {
    /// The container's root, without links.
    let root: String
    /// The mount points at and below it before the container was made; one with several mounts on it as often.
    let before: [String]

    init(root: String, before: [String]) {
        self.root = root
        self.before = before
    }

    /// As they are now; nil where the container has a mount namespace.
    init?(_ spec: RuntimeSpec) throws {
        if spec.linux.has(.mount) { return nil }
        let root = try Link.canonical(spec.root.path)
        self.init(root: root, before: HostMounts.points(below: root, in: try Files.readText("/proc/self/mountinfo")))
    }

    /// Unmounts what has come since, the last first.
    ///
    /// The folder of each is opened without a link on the way: who shares a folder of the root may exchange another for it.
    func remove() throws {
        let top = try FileDescriptor.open("/", O_PATH | O_DIRECTORY)
        for point in added(in: try Files.readText("/proc/self/mountinfo")) {
            let parts = point.split(separator: "/")
            guard let name = parts.last else { continue }
            let above = parts.count > 1 ? parts.dropLast().joined(separator: "/") : "."
            let folder = try FileDescriptor.openBeneath(top.raw, above, O_PATH | O_DIRECTORY)
            try ImageMount.unmount("/proc/self/fd/\(folder.raw)/\(name)", detaching: true)
        }
    }

    /// The mount points that are there more often than before, the last mounted first.
    func added(in mountinfo: String) -> [String] {
        var known: [String: Int] = [:]
        for point in before { known[point, default: 0] += 1 }
        let now = HostMounts.points(below: root, in: mountinfo)
        return now.filter { point in
            known[point, default: 0] -= 1
            return known[point, default: 0] < 0
        }.reversed()
    }

    /// The mount points at and below a folder, in the order of mountinfo (proc_pid_mountinfo(5)).
    static func points(below root: String, in mountinfo: String) -> [String] {
        mountinfo.split(separator: "\n").compactMap { line -> String? in
            let fields = line.split(separator: " ", maxSplits: 5)
            guard fields.count > 4 else { return nil }
            let point = plain(fields[4])
            return point == root || root == "/" || point.hasPrefix(root + "/") ? point : nil
        }
    }

    /// \040 and the like are a blank, a tab, a line feed and a backslash.
    private static func plain(_ text: Substring) -> String {
        guard text.utf8.contains(UInt8(ascii: "\\")) else { return String(text) }
        var bytes: [UInt8] = []
        var rest = text.rawBytes[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\\"), rest.count >= 3,
                let code = UInt8(String(decoding: rest.prefix(3), as: UTF8.self), radix: 8)
            {
                bytes.append(code)
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return String(rawBytes: bytes)
    }
}

extension HostMounts {
    init?(_ json: JSON?) {
        guard let root = json?["root"]?.string, let before = json?["before"]?.strings else { return nil }
        self.init(root: root, before: before)
    }

    var json: JSON { ["root": .string(root), "before": .strings(before)] }
}
