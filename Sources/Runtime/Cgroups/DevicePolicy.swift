import OCI

/// What a list of device rules amounts to: a default and the exceptions to it, as cgroup v1's devices controller keeps
/// them. Both cgroup versions are given this form, so that a rule means the same on both.
///
/// A rule for all devices sets the default and forgets what came before. An exception covers a request only as a whole:
/// with "r" and "w" allowed by two rules of different breadth, opening for both is denied, as v1 does it.
package struct DevicePolicy: Equatable, Sendable {
    package typealias Rule = LinuxResources.DeviceRule
    package typealias Access = LinuxResources.Access

    package struct Exception: Equatable, Sendable {
        /// Never `.all`.
        package let kind: Rule.Kind
        package let major: UInt32?
        package let minor: UInt32?
        package var access: Access

        /// As devices.allow and devices.deny want it: "c 1:3 rwm".
        package var text: String {
            "\(kind.rawValue) \(major.map { String($0) } ?? "*"):\(minor.map { String($0) } ?? "*") \(access.text)"
        }

        fileprivate init(kind: Rule.Kind, major: UInt32?, minor: UInt32?, access: Access) {
            self.kind = kind
            self.major = major
            self.minor = minor
            self.access = access
        }

        /// From a line of devices.list: "c 136:* rwm".
        fileprivate init?(_ line: Substring) {
            let fields = line.split(separator: " ")
            guard fields.count == 3, let kind = Rule.Kind(rawValue: String(fields[0])), kind != .all,
                let access = Access(fields[2])
            else { return nil }
            let numbers = fields[1].split(separator: ":")
            guard numbers.count == 2 else { return nil }
            self.init(kind: kind, major: UInt32(numbers[0]), minor: UInt32(numbers[1]), access: access)
        }

        /// Whether some request is named by both.
        fileprivate func overlaps(_ other: Exception) -> Bool {
            kind == other.kind && !access.isDisjoint(with: other.access)
                && (major == nil || other.major == nil || major == other.major)
                && (minor == nil || other.minor == nil || minor == other.minor)
        }

        /// Whether every device of the other's is one of this one's.
        fileprivate func covers(_ other: Exception) -> Bool {
            kind == other.kind && (major == nil || major == other.major) && (minor == nil || minor == other.minor)
        }
    }

    package private(set) var allowsByDefault = false
    /// In the order in which they were made, no two about the same devices.
    package private(set) var exceptions: [Exception] = []

    /// Applies the rules in order, to a policy that denies everything.
    ///
    /// Throws where a rule would take away a part of what a broader exception gives: v1 ignores such a rule without a
    /// word, and nobody should rely on a denial that does not hold.
    package init(_ rules: [Rule]) throws(EngineError) {
        for rule in rules { try apply(rule) }
    }

    /// Whether every access to every device is allowed, so that no filter is needed.
    package var isUnrestricted: Bool { allowsByDefault && exceptions.isEmpty }

    /// Whether one request passes.
    package func allows(_ kind: Rule.Kind, major: UInt32, minor: UInt32, _ access: Access) -> Bool {
        let named = exceptions.contains { exception in
            exception.kind == kind && exception.major ?? major == major && exception.minor ?? minor == minor
                && (allowsByDefault
                    ? !exception.access.isDisjoint(with: access) : exception.access.isSuperset(of: access))
        }
        return named != allowsByDefault
    }

    /// What is to be written into devices.allow and devices.deny of cgroup v1, in order.
    ///
    /// A list of permissions that follows another is reached without taking away on the way what both give: a running
    /// container never fails to open its /dev/null.
    ///
    /// - Parameter list: devices.list as it is now; nil for that of a cgroup that nobody uses yet.
    func changes(from list: String? = nil) -> [(isAllowed: Bool, rule: String)] {
        let wanted = exceptions.map { (isAllowed: !allowsByDefault, rule: $0.text) }
        // The kernel shows "a *:* rwm" alone where everything is allowed by default, whatever the exceptions are.
        guard let list, !allowsByDefault, !list.hasPrefix("a") else { return [(allowsByDefault, "a")] + wanted }
        let surplus = list.split(separator: "\n").compactMap(Exception.init).compactMap { old -> Exception? in
            var rest = old
            for new in exceptions where new.kind == old.kind && new.major == old.major && new.minor == old.minor {
                rest.access.subtract(new.access)
            }
            return rest.access.isEmpty ? nil : rest
        }
        return wanted + surplus.map { (isAllowed: false, rule: $0.text) }
    }

    private mutating func apply(_ rule: Rule) throws(EngineError) {
        guard rule.kind == .all else { return try add(rule, rule.kind) }
        if rule.major == nil, rule.minor == nil, rule.access == .all {
            allowsByDefault = rule.allow
            exceptions = []
            return
        }
        // The kernel takes "a 7:* r" for "everything"; here it is what it says.
        try add(rule, .character)
        try add(rule, .block)
    }

    private mutating func add(_ rule: Rule, _ kind: Rule.Kind) throws(EngineError) {
        guard !rule.access.isEmpty else { return }
        let named = Exception(kind: kind, major: rule.major, minor: rule.minor, access: rule.access)
        if rule.allow == allowsByDefault { return try remove(named, verb: rule.allow ? "allow" : "deny") }
        let same = exceptions.firstIndex { $0.kind == kind && $0.major == rule.major && $0.minor == rule.minor }
        if let same { exceptions[same].access.formUnion(rule.access) } else { exceptions.append(named) }
    }

    private mutating func remove(_ named: Exception, verb: String) throws(EngineError) {
        for index in exceptions.indices where exceptions[index].overlaps(named) {
            guard named.covers(exceptions[index]) else {
                let broader = exceptions[index].text
                throw EngineError(
                    .invalid,
                    "cannot \(verb) device \(named.text): it is part of the broader rule \(broader)"
                )
            }
            exceptions[index].access.subtract(named.access)
        }
        exceptions.removeAll(where: \.access.isEmpty)
    }
}

extension LinuxResources.DeviceRule {
    /// What every runtime adds to a configuration's own rules: mknod of anything (which gives no access), the devices
    /// of every container's /dev, its terminals, and /dev/net/tun, which many images expect.
    package static let runtimeDefaults: [LinuxResources.DeviceRule] = [
        LinuxResources.DeviceRule(allow: true, .character, access: .mknod),
        LinuxResources.DeviceRule(allow: true, .block, access: .mknod),
        LinuxResources.DeviceRule(allow: true, .character, major: 1, minor: 3),  // null
        LinuxResources.DeviceRule(allow: true, .character, major: 1, minor: 8),  // random
        LinuxResources.DeviceRule(allow: true, .character, major: 1, minor: 7),  // full
        LinuxResources.DeviceRule(allow: true, .character, major: 5, minor: 0),  // tty
        LinuxResources.DeviceRule(allow: true, .character, major: 1, minor: 5),  // zero
        LinuxResources.DeviceRule(allow: true, .character, major: 1, minor: 9),  // urandom
        LinuxResources.DeviceRule(allow: true, .character, major: 136),  // pts
        LinuxResources.DeviceRule(allow: true, .character, major: 5, minor: 2),  // ptmx
        LinuxResources.DeviceRule(allow: true, .character, major: 10, minor: 200),  // net/tun
    ]

    /// docker's rules for a container without `--privileged`, for the specification's `linux.resources.devices`.
    package static let docker: [LinuxResources.DeviceRule] = [
        LinuxResources.DeviceRule(allow: false),
        LinuxResources.DeviceRule(allow: true, .character, major: 1, minor: 5),
        LinuxResources.DeviceRule(allow: true, .character, major: 1, minor: 3),
        LinuxResources.DeviceRule(allow: true, .character, major: 1, minor: 9),
        LinuxResources.DeviceRule(allow: true, .character, major: 1, minor: 8),
        LinuxResources.DeviceRule(allow: true, .character, major: 5, minor: 0),
        LinuxResources.DeviceRule(allow: true, .character, major: 5, minor: 1),  // console
        LinuxResources.DeviceRule(allow: false, .character, major: 10, minor: 229),  // fuse
    ]

    /// `--privileged`.
    package static let everything = [LinuxResources.DeviceRule(allow: true)]
}
