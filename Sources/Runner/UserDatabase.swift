import LinuxSystem
import OCI

/// The image's own /etc/passwd and /etc/group, and what `--user` means by them (passwd(5), group(5); moby, user lookup).
///
/// Read as text on purpose: the host's name service must never be asked about a container's users (CVE-2019-14271).
///
/// A number is always an id and never a name: an account *named* "1000" with uid 0 makes nobody root (CVE-2026-30892,
/// CVE-2026-46680). Ids end at 2^31 - 1, whoever gives them, the files as well: setresuid(2) takes 4294967295 for "as it is",
/// which is root, and some of the kernel's interfaces take the half above for negative (CVE-2024-40635).
package struct UserDatabase: Sendable {
    package struct Account: Equatable, Sendable { let name: String, uid: ID, gid: ID, home: String }
    package struct Group: Equatable, Sendable { let name: String, gid: ID, members: [String] }

    /// A number of one of the files, which nobody has checked yet.
    struct ID: Equatable, Sendable {
        private let number: UInt64

        /// Nil where the text is no number.
        init?(_ text: String) {
            guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
            number = UInt64(text) ?? .max
        }

        func checked() throws(EngineError) -> UInt32 {
            guard number <= UInt64(Int32.max) else { throw UserDatabase.outOfRange }
            return UInt32(number)
        }

        func isEqual(_ id: UInt32) -> Bool { number == UInt64(id) }
    }

    /// Who a process is, and where it is at home.
    package struct Identity: Equatable, Sendable {
        package var user: RuntimeSpec.User
        package var home: String
    }

    /// How much of either file is read: a longer one is an error (CVE-2026-61801, CVE-2026-47262).
    package static let fileLimit = 1 << 20

    let accounts: [Account]
    let groups: [Group]

    /// From the files' content; nil where the image has none. Lines that do not parse are skipped.
    package init(passwd: [UInt8]?, group: [UInt8]?) {
        accounts = UserDatabase.lines(passwd).compactMap { fields in
            guard fields.count >= 4, let uid = ID(fields[2]), let gid = ID(fields[3]) else { return nil }
            return Account(name: fields[0], uid: uid, gid: gid, home: fields.count > 5 ? fields[5] : "")
        }
        groups = UserDatabase.lines(group).compactMap { fields in
            guard fields.count >= 3, let gid = ID(fields[2]) else { return nil }
            let members = fields.count > 3 ? fields[3].split(separator: ",").map(String.init) : []
            return Group(name: fields[0], gid: gid, members: members)
        }
    }

    private static func lines(_ bytes: [UInt8]?) -> [[String]] {
        guard let bytes else { return [] }
        return bytes.split(separator: UInt8(ascii: "\n")).compactMap { line in
            let text = String(rawBytes: line)
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
        let number = try UserDatabase.number(wanted.isEmpty ? "0" : wanted)
        let account = accounts.first { number.map($0.uid.isEqual) ?? ($0.name == wanted) }
        let accountID = try account?.uid.checked()
        guard let uid = number ?? accountID else { throw UserDatabase.noUser(wanted) }
        let accountGroup = try account?.gid.checked()
        var gid = accountGroup ?? 0
        var others: [UInt32] = []
        if parts.count == 2, !parts[1].isEmpty {
            gid = try group(parts[1])
        } else if let account {
            for group in groups where group.members.contains(account.name) { others.append(try group.gid.checked()) }
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
        if let number = try UserDatabase.number(text) { return number }
        if let group = groups.first(where: { $0.name == text }) { return try group.gid.checked() }
        throw EngineError(.notFound, "unable to find group \(text): no matching entries in group file")
    }

    /// The uid of a user that is given by name or number, as `COPY --chown` wants it.
    package func user(_ text: String) throws(EngineError) -> UInt32 {
        if let number = try UserDatabase.number(text) { return number }
        if let account = accounts.first(where: { $0.name == text }) { return try account.uid.checked() }
        throw UserDatabase.noUser(text)
    }

    /// The name of a user, where it has one.
    package func name(of uid: UInt32) -> String? { accounts.first { $0.uid.isEqual(uid) }?.name }

    /// The id that a person's text is; nil where it is a name. A number that is no id is an error and never a name.
    package static func number(_ text: String) throws(EngineError) -> UInt32? {
        let digits = text.hasPrefix("-") || text.hasPrefix("+") ? text.dropFirst() : text[...]
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        guard digits.utf8.count == text.utf8.count, let id = ID(text) else { throw outOfRange }
        return try id.checked()
    }

    private static let outOfRange = EngineError(.invalid, "uids and gids must be in range 0-\(Int32.max)")

    private static func noUser(_ text: String) -> EngineError {
        EngineError(.notFound, "unable to find user \(text): no matching entries in passwd file")
    }
}
