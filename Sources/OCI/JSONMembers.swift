/// An object under construction, which leaves out what is nil or empty.
package struct JSONMembers {
    private var members: [(key: String, value: JSON)] = []

    package init() {}

    package var json: JSON { .object(members) }

    package mutating func add(_ key: String, _ value: (some FixedWidthInteger)?) {
        if let value { members.append((key, .number(value))) }
    }

    package mutating func add(_ key: String, _ value: String?) {
        if let value, !value.isEmpty { members.append((key, .string(value))) }
    }

    /// False counts as empty.
    package mutating func add(_ key: String, flag: Bool) {
        if flag { members.append((key, .bool(true))) }
    }

    package mutating func add(_ key: String, _ values: [String]) { add(key, values.map { .string($0) }) }

    package mutating func add(_ key: String, _ elements: [JSON]) {
        if !elements.isEmpty { members.append((key, .array(elements))) }
    }

    /// In the order of the keys.
    package mutating func add(_ key: String, _ values: [String: String]) {
        if !values.isEmpty { members.append((key, .sortedStrings(values))) }
    }

    /// In the order of the keys.
    package mutating func add<V>(_ key: String, _ values: [String: V], _ write: (V) -> JSON) {
        guard !values.isEmpty else { return }
        members.append((key, .object(values.sorted { $0.key < $1.key }.map { ($0.key, write($0.value)) })))
    }

    /// An object without members counts as empty.
    package mutating func add(_ key: String, _ value: JSON?) {
        guard let value else { return }
        if case .object(let inner) = value, inner.isEmpty { return }
        members.append((key, value))
    }

    /// Whatever the value, even empty.
    package mutating func set(_ key: String, _ value: JSON) { members.append((key, value)) }
}
