/// Names and values in the order in which they were first set, as an environment has them.
package struct Variables: Equatable, Sendable {
    private var entries: [(name: String, value: String)] = []
    private var places: [String: Int] = [:]
    /// Of all names and values.
    private(set) var byteCount = 0

    package init() {}

    /// Reads `NAME=value`; the last of equal names counts.
    package init(environment: [String]) {
        for entry in environment {
            let (name, value) = Variables.split(entry)
            self[name] = value
        }
    }

    package static func == (a: Variables, b: Variables) -> Bool { a.environment == b.environment }

    /// The value of a variable. Setting one that exists keeps its place.
    package subscript(_ name: String) -> String? {
        get { places[name].map { entries[$0].value } }
        set {
            byteCount += (newValue?.utf8.count ?? 0) - (self[name]?.utf8.count ?? 0)
            if let place = places[name] {
                if let newValue {
                    entries[place].value = newValue
                } else {
                    byteCount -= name.utf8.count
                    entries.remove(at: place)
                    places = Dictionary(uniqueKeysWithValues: entries.enumerated().map { ($1.name, $0) })
                }
            } else if let newValue {
                byteCount += name.utf8.count
                places[name] = entries.count
                entries.append((name, newValue))
            }
        }
    }

    package var names: [String] { entries.map(\.name) }

    /// `NAME=value` for each.
    package var environment: [String] { entries.map { "\($0.name)=\($0.value)" } }

    /// `NAME=value` in two; the value is empty where there is no `=`.
    static func split(_ entry: String) -> (name: String, value: String) {
        guard let equals = entry.utf8.firstIndex(of: UInt8(ascii: "=")) else { return (entry, "") }
        return (String(entry[..<equals]), String(entry[entry.utf8.index(after: equals)...]))
    }
}
