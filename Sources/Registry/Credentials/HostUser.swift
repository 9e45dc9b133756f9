import OCI
import LinuxSystem

/// A user of this machine, from /etc/passwd and /etc/group read as text: asking the name service would load libraries into
/// a static program (passwd(5), group(5)).
package struct HostUser: Equatable, Sendable {
    package let name: String
    package let uid: UInt32
    package let gid: UInt32
    package let home: String
    /// Of the groups, those that the user is a member of beside `gid`.
    package let groups: [UInt32]

    package init(name: String, uid: UInt32, gid: UInt32, home: String, groups: [UInt32] = []) {
        self.name = name
        self.uid = uid
        self.gid = gid
        self.home = home
        self.groups = groups
    }

    /// The user who called sudo; nil where this process is not root, or nobody else called it.
    package static func invoking(_ environment: [String: String], etc: String = "/etc") -> HostUser? {
        guard Process.isRoot, let name = environment["SUDO_USER"], let user = find(etc, { found, _ in found == name }),
            user.uid != 0, environment["SUDO_UID"].map({ $0 == String(user.uid) }) ?? true
        else { return nil }
        return user
    }

    /// The user with this number; of several the first.
    package static func with(uid: UInt32, etc: String = "/etc") -> HostUser? { find(etc) { _, found in found == uid } }

    private static func find(_ etc: String, _ isRight: (String, UInt32) -> Bool) -> HostUser? {
        for fields in lines("\(etc)/passwd") {
            guard fields.count >= 6, let uid = id(fields[2]), let gid = id(fields[3]),
                isRight(fields[0], uid), fields[5].isAbsolutePath
            else { continue }
            return HostUser(
                name: fields[0],
                uid: uid,
                gid: gid,
                home: fields[5],
                groups: groups(of: fields[0], "\(etc)/group").filter { $0 != gid }
            )
        }
        return nil
    }

    private static func groups(of name: String, _ file: String) -> [UInt32] {
        lines(file).compactMap { fields in
            guard fields.count >= 4, fields[3].split(separator: ",").contains(Substring(name)) else { return nil }
            return id(fields[2])
        }
    }

    /// Digits and nothing else: with a sign it would be another's line to whoever else reads the file.
    private static func id(_ text: String) -> UInt32? {
        text.utf8.allSatisfy { (0x30...0x39).contains($0) } ? UInt32(text) : nil
    }

    private static func lines(_ file: String) -> [[String]] {
        guard let text = try? Files.readText(file) else { return [] }
        return text.split(separator: "\n").map { line in
            line.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        }
    }
}
