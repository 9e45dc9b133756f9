import CLinux
import OCI

/// A set of Linux capabilities: bit n is capability number n (capabilities(7)).
package struct CapabilitySet: OptionSet, Hashable, Sendable {
    package let rawValue: UInt64

    package init(rawValue: UInt64) { self.rawValue = rawValue }

    /// The set of one capability.
    package init(number: Int) { rawValue = 1 << UInt64(number) }

    /// Names as a configuration has them. Fails with docker's text on an unknown one.
    package init(names: some Sequence<String>) throws(EngineError) {
        var set: CapabilitySet = []
        for name in names { set.formUnion(try CapabilitySet(name: name)) }
        self = set
    }

    /// Of names as a configuration has them, without those that nobody knows: whoever reads the configuration has warned.
    package init(known names: some Sequence<String>) {
        self = names.reduce(into: []) { set, name in
            if let number = CapabilitySet.numbers[name] { set.insert(CapabilitySet(number: number)) }
        }
    }

    /// The set of one capability, by its name with or without "CAP_", in any case.
    package init(name: String) throws(EngineError) {
        let name = CapabilitySet.normalized(name)
        guard let number = CapabilitySet.numbers[name] else {
            throw EngineError(.invalid, "unknown capability: \"\(name)\"")
        }
        self.init(number: number)
    }

    /// In the order of their numbers: "CAP_CHOWN", "CAP_DAC_OVERRIDE"…
    package var names: [String] {
        CapabilitySet.knownNames.enumerated().filter { contains(CapabilitySet(number: $0.offset)) }.map(\.element)
    }

    /// The numbers of the set's members.
    package var numbers: [Int] { (0..<64).filter { contains(CapabilitySet(number: $0)) } }

    /// Whether a capability of that exact name is a member; an unknown name is none.
    package func contains(named name: String) -> Bool {
        CapabilitySet.numbers[name].map { contains(CapabilitySet(number: $0)) } ?? false
    }
}

extension CapabilitySet {
    /// Every capability that both the running kernel and libcap know. A newer kernel's nameless ones are left out: no
    /// configuration could name them.
    package static let all = CapabilitySet(
        rawValue: knownNames.count >= 64 ? .max : (1 << UInt64(knownNames.count)) - 1
    )

    /// What docker gives a container that asks for nothing.
    package static let dockerDefault: CapabilitySet = {
        let names = [
            "CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_MKNOD",
            "CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID",
            "CAP_SYS_CHROOT",
        ]
        return names.reduce(into: []) { set, name in
            if let number = numbers[name] { set.insert(CapabilitySet(number: number)) }
        }
    }()

    /// The effective set of this process: what it can hand on.
    package static func current() -> CapabilitySet {
        guard let state = cap_get_proc() else { return [] }
        defer { cap_free(UnsafeMutableRawPointer(state)) }
        return (0..<knownNames.count).reduce(into: []) { set, number in
            var value = CAP_CLEAR
            if cap_get_flag(state, cap_value_t(number), CAP_EFFECTIVE, &value) == 0, value == CAP_SET {
                set.insert(CapabilitySet(number: number))
            }
        }
    }

    /// The bounding set of this process: what its children can ever have.
    package static func bounding() -> CapabilitySet {
        (0..<knownNames.count).reduce(into: []) { set, number in
            if cap_get_bound(cap_value_t(number)) > 0 { set.insert(CapabilitySet(number: number)) }
        }
    }

    /// Applies `--cap-add` and `--cap-drop` to a default set, as docker does (moby, daemon/pkg/oci/caps):
    ///
    /// - adding ALL gives everything available but what is dropped by name, so that dropping ALL as well changes nothing;
    /// - else, dropping ALL gives exactly what is added;
    /// - else, drops come first: what is both dropped and added is a member.
    ///
    /// A name outside `available` is an error: the kernel would refuse it later, with a worse message.
    package static func adjusted(
        default basis: CapabilitySet = .dockerDefault,
        add: [String],
        drop: [String],
        available: CapabilitySet = .all
    ) throws(EngineError) -> CapabilitySet {
        let dropped = try parse(drop, available)
        let added = try parse(add, available)
        if added.isAll { return available.subtracting(dropped.named) }
        if dropped.isAll { return added.named }
        return basis.subtracting(dropped.named).union(added.named)
    }

    private static func parse(_ names: [String], _ available: CapabilitySet) throws(EngineError)
        -> (isAll: Bool, named: CapabilitySet)
    {
        var result = (isAll: false, named: CapabilitySet())
        for name in names {
            if name.uppercased() == "ALL" {
                result.isAll = true
                continue
            }
            let one = try CapabilitySet(name: name)
            guard available.isSuperset(of: one) else {
                throw EngineError(
                    .invalid,
                    "capability not supported by your kernel or not available in the current environment: \"\(normalized(name))\""
                )
            }
            result.named.formUnion(one)
        }
        return result
    }

    private static func normalized(_ name: String) -> String {
        let name = name.uppercased()
        return name.hasPrefix("CAP_") ? name : "CAP_" + name
    }

    /// By number. From cap_to_name(3) rather than cap_from_name(3), which also takes numbers and trailing text.
    private static let knownNames: [String] = {
        var names: [String] = []
        for number in 0..<min(cap_max_bits(), 64) {
            guard let text = cap_to_name(number) else { break }
            defer { cap_free(text) }
            let name = String(cString: text).uppercased()
            // Beyond what libcap knows, it prints the number.
            guard name.hasPrefix("CAP_") else { break }
            names.append(name)
        }
        return names
    }()

    private static let numbers = Dictionary(
        uniqueKeysWithValues: knownNames.enumerated().map { ($0.element, $0.offset) }
    )
}
