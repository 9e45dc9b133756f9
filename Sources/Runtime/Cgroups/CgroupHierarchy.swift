import CLinux
import LinuxSystem
import OCI

/// Where the cgroup controllers of this machine are mounted: cgroup v1, v2 (unified), or both beside one another
/// (hybrid).
package struct CgroupHierarchy: Equatable, Sendable {
    package enum Mode: Sendable { case v1, hybrid, unified }

    /// The mount of cgroup v2.
    package struct Unified: Equatable, Sendable {
        package var directory: String
        /// What its cgroup.controllers says; nil where it was not read.
        package var controllers: Set<String>?

        package init(directory: String, controllers: Set<String>? = nil) {
            self.directory = directory
            self.controllers = controllers
        }
    }

    /// The v1 mount of each controller; controllers mounted together share a folder.
    package var mounts: [CgroupController: String]
    package var unified: Unified?
    /// The v1 hierarchies without a controller, by name: "systemd" for the one that is mounted with name=systemd.
    package var named: [String: String]
    /// The caller's own cgroup on v2, as /proc/self/cgroup shows it: "/" at the root of a cgroup namespace.
    package var ownPath: String?
    /// The caller's own cgroup in v1 hierarchies, as a path below the hierarchy's folder, by that folder. One that is
    /// not below what is mounted there has no entry.
    package var ownPaths: [String: String]

    package init(
        mounts: [CgroupController: String] = [:],
        unified: Unified? = nil,
        ownPath: String? = nil,
        named: [String: String] = [:],
        ownPaths: [String: String] = [:]
    ) {
        self.mounts = mounts
        self.unified = unified
        self.ownPath = ownPath
        self.named = named
        self.ownPaths = ownPaths
    }

    package var mode: Mode { mounts.isEmpty ? .unified : unified == nil ? .v1 : .hybrid }

    /// Every mounted hierarchy's folder, once.
    package var directories: [String] {
        var result = Set(mounts.values).sorted() + Set(named.values).subtracting(mounts.values).sorted()
        if let unified { result.append(unified.directory) }
        return result
    }

    /// What this machine has. Reads two files: on v2 the list of controllers and /proc/self/cgroup, else
    /// /proc/self/mountinfo and /proc/self/cgroup (mountinfo can be long on a host with many containers, and v2 does
    /// not need it).
    package static func current() throws -> CgroupHierarchy {
        let root = "/sys/fs/cgroup"
        let controllers: [UInt8]
        do {
            controllers = try Files.read("\(root)/cgroup.controllers")
        } catch {
            guard error.code == ENOENT else { throw error }
            let found = CgroupHierarchy(
                mountinfo: try Files.read("/proc/self/mountinfo"),
                cgroup: try Files.read("/proc/self/cgroup")
            )
            if found.mounts.isEmpty, found.unified == nil {
                throw EngineError(.unsupported, "no cgroup file system is mounted", hint: "mount cgroup2 on \(root)")
            }
            return found
        }
        let names = String(rawBytes: controllers).split(whereSeparator: \.isWhitespace)
        return CgroupHierarchy(
            unified: Unified(directory: root, controllers: Set(names.map(String.init))),
            ownPath: unifiedPath(inCgroup: try Files.read("/proc/self/cgroup"))
        )
    }

    /// From the texts of /proc/self/mountinfo and /proc/self/cgroup (proc(5), cgroups(7)).
    ///
    /// A controller that is mounted twice counts where it stands below /sys/fs/cgroup, else where it stands first.
    package init(mountinfo: [UInt8], cgroup: [UInt8]) {
        self.init(ownPath: CgroupHierarchy.unifiedPath(inCgroup: cgroup))
        // By what /proc/self/cgroup calls a hierarchy: a controller's name, or "name=systemd".
        let own = CgroupHierarchy.paths(inCgroup: cgroup)
        for line in mountinfo.split(separator: UInt8(ascii: "\n")) {
            // Most lines are about other file systems: nothing is built of them.
            guard let mount = CgroupMount(line) else { continue }
            if mount.isUnified {
                if mount.isPreferred(to: unified?.directory) { unified = Unified(directory: mount.directory) }
                continue
            }
            for option in mount.options.split(separator: ",").map(String.init) {
                if let controller = CgroupController(rawValue: option) {
                    guard mount.isPreferred(to: mounts[controller]) else { continue }
                    mounts[controller] = mount.directory
                } else if option.hasPrefix("name=") {
                    let name = String(option.dropFirst(5))
                    guard mount.isPreferred(to: named[name]) else { continue }
                    named[name] = mount.directory
                } else {
                    continue
                }
                ownPaths[mount.directory] = own[option].flatMap(mount.pathBelow)
            }
        }
    }

    /// The paths of the lines "4:memory:PATH" and "1:name=systemd:PATH", by each of the names in the middle.
    private static func paths(inCgroup text: [UInt8]) -> [String: String] {
        var result: [String: String] = [:]
        for line in text.split(separator: UInt8(ascii: "\n")) {
            let fields = line.split(separator: UInt8(ascii: ":"), maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            let path = String(rawBytes: fields[2])
            for name in fields[1].split(separator: UInt8(ascii: ",")) {
                result[String(rawBytes: name)] = path
            }
        }
        return result
    }

    /// The path of the line "0::PATH".
    private static func unifiedPath(inCgroup text: [UInt8]) -> String? {
        for line in text.split(separator: UInt8(ascii: "\n")) where line.starts(with: Array("0::".utf8)) {
            return String(rawBytes: line.dropFirst(3))
        }
        return nil
    }
}

/// A line of mountinfo that is about cgroups: "36 35 0:30 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu".
private struct CgroupMount {
    private static let usual = "/sys/fs/cgroup"
    private static let separator = Array(" - cgroup".utf8)

    let directory: String
    /// What of the hierarchy is mounted: "/" for all of it.
    let root: String
    let options: String
    let isUnified: Bool

    /// A path in the hierarchy as one below the mounted folder; nil for one that is elsewhere.
    func pathBelow(_ path: String) -> String? {
        if root == "/" || path == root { return path == root ? "/" : path }
        return path.hasPrefix("\(root)/") ? String(path.dropFirst(root.count)) : nil
    }

    func isPreferred(to known: String?) -> Bool {
        guard let known else { return true }
        return directory.hasPrefix(CgroupMount.usual) && !known.hasPrefix(CgroupMount.usual)
    }

    init?(_ line: ArraySlice<UInt8>) {
        guard let end = CgroupMount.position(of: CgroupMount.separator, in: line) else { return nil }
        let before = line[..<end].split(separator: UInt8(ascii: " "))
        let after = line[(end + 3)...].split(separator: UInt8(ascii: " "))
        guard before.count >= 6, after.count >= 3 else { return nil }
        let type = String(rawBytes: after[0])
        guard type == "cgroup" || type == "cgroup2" else { return nil }
        isUnified = type == "cgroup2"
        root = CgroupMount.unescaped(before[3])
        directory = CgroupMount.unescaped(before[4])
        options = String(rawBytes: after[after.count - 1])
    }

    private static func position(of pattern: [UInt8], in line: ArraySlice<UInt8>) -> Int? {
        guard line.count >= pattern.count else { return nil }
        return line.indices.dropLast(pattern.count - 1).first {
            line[$0] == pattern[0] && line[$0...].starts(with: pattern)
        }
    }

    /// Blanks, tabs, line ends and backslashes stand as three octal digits.
    private static func unescaped(_ text: ArraySlice<UInt8>) -> String {
        guard text.contains(UInt8(ascii: "\\")) else { return String(rawBytes: text) }
        var bytes: [UInt8] = []
        var rest = text
        while let byte = rest.popFirst() {
            let digits = String(rawBytes: rest.prefix(3))
            if byte == UInt8(ascii: "\\"), digits.count == 3, let value = UInt8(digits, radix: 8) {
                bytes.append(value)
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return String(rawBytes: bytes)
    }
}
