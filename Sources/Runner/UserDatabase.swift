import OCI

/// The image's own /etc/passwd and /etc/group, and what `--user` means by them (passwd(5), group(5); moby, user lookup).
///
/// Read as text on purpose: the host's name service must never be asked about a container's users (CVE-2019-14271).
package struct UserDatabase: Sendable {
    package struct Account: Equatable, Sendable { let name: String, uid: UInt32, gid: UInt32, home: String }
    package struct Group: Equatable, Sendable { let name: String, gid: UInt32, members: [String] }

    /// Who a process is, and where it is at home.
    package struct Identity: Equatable, Sendable {
        package var user: RuntimeSpec.User
        package var home: String
    }

    let accounts: [Account]
    let groups: [Group]

    /// From the files' content; nil where the image has none. Lines that do not parse are skipped.
    package init(passwd: [UInt8]?, group: [UInt8]?) {
        accounts = UserDatabase.lines(passwd).compactMap { fields in
            guard fields.count >= 4, let uid = UInt32(fields[2]), let gid = UInt32(fields[3]) else { return nil }
            return Account(name: fields[0], uid: uid, gid: gid, home: fields.count > 5 ? fields[5] : "")
        }
        groups = UserDatabase.lines(group).compactMap { fields in
            guard fields.count >= 3, let gid = UInt32(fields[2]) else { return nil }
            let members = fields.count > 3 ? fields[3].split(separator: ",").map(String.init) : []
            return Group(name: fields[0], gid: gid, members: members)
        }
    }

    private static func lines(_ bytes: [UInt8]?) -> [[String]] {
        guard let bytes else { return [] }
        return bytes.split(separator: UInt8(ascii: "\n")).compactMap { line in
            let text = String(decoding: line, as: UTF8.self)
            guard !text.isEmpty, !text.hasPrefix("#") else { return nil }
            return text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        }
    }

    /// Resolves `user[:group]` and the groups of `--group-add`.
    ///
    /// Supplementary groups come from the group file only where no group is named. The primary group is always among them,
    /// so that a negative group permission cannot be dodged (CVE-2022-36109).
    package func identity(_ specification: String, addedGroups: [String]) throws(EngineError) -> Identity {
        let parts = specification.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let wanted = parts.first ?? ""
        let account = accounts.first { wanted.isEmpty ? $0.uid == 0 : $0.name == wanted || String($0.uid) == wanted }
        guard let uid = account?.uid ?? (wanted.isEmpty ? 0 : UserDatabase.number(wanted)) else {
            throw EngineError(.notFound, "unable to find user \(wanted): no matching entries in passwd file")
        }
        var gid = account?.gid ?? 0
        var others: [UInt32] = []
        if parts.count == 2, !parts[1].isEmpty {
            gid = try group(parts[1])
        } else if let account {
            others = groups.filter { $0.members.contains(account.name) }.map(\.gid)
        }
        for name in addedGroups { others.append(try group(name)) }
        var additional = [gid]
        for other in others where !additional.contains(other) { additional.append(other) }
        let home = account?.home ?? ""
        return Identity(
            user: RuntimeSpec.User(uid: uid, gid: gid, additionalGids: additional),
            home: home.isEmpty ? "/" : home
        )
    }

    /// The number of a group that is given by name or number.
    package func group(_ text: String) throws(EngineError) -> UInt32 {
        if let group = groups.first(where: { $0.name == text }) { return group.gid }
        if let number = UserDatabase.number(text) { return number }
        throw EngineError(.notFound, "unable to find group \(text): no matching entries in group file")
    }

    /// The uid of a user that is given by name or number, as `COPY --chown` wants it.
    package func user(_ text: String) throws(EngineError) -> UInt32 {
        if let account = accounts.first(where: { $0.name == text }) { return account.uid }
        if let number = UserDatabase.number(text) { return number }
        throw EngineError(.notFound, "unable to find user \(text): no matching entries in passwd file")
    }

    /// The name of a user, where it has one.
    package func name(of uid: UInt32) -> String? { accounts.first { $0.uid == uid }?.name }

    /// Ids end at 2^31 - 1, as in runc: beyond, some kernel interfaces take them for negative.
    private static func number(_ text: String) -> UInt32? {
        guard let value = UInt32(text), value <= UInt32(Int32.max), text.allSatisfy(\.isNumber) else { return nil }
        return value
    }
}
