import LinuxSystem
import OCI

/// The `--filter` options of a list, by name.
struct ListFilters: Sendable {
    private var values: [String: [String]] = [:]

    /// - Parameter known: the names that the list has; another one is refused.
    init(_ texts: [String], known: Set<String>) throws {
        for text in texts {
            let filter = try KeyValue.filter(text)
            if filter.key.isEmpty { continue }
            guard known.contains(filter.key) else { throw EngineError(.invalid, "invalid filter '\(filter.key)'") }
            values[filter.key, default: []].append(filter.value)
        }
    }

    /// All values of one name; empty where it was not given.
    subscript(name: String) -> [String] { values[name] ?? [] }

    func has(_ name: String) -> Bool { values[name] != nil }

    /// Whether the name was not given, or one of its values is right.
    func allows(_ name: String, _ isRight: (String) throws -> Bool) rethrows -> Bool {
        guard let wanted = values[name] else { return true }
        return try wanted.contains(where: isRight)
    }

    /// `label=KEY` and `label=KEY=VALUE`: all of them must be there.
    /// `label!=…`, where a list has it: none of them may be there.
    func allows(labels: [String: String]) -> Bool {
        func has(_ text: String) -> Bool {
            let (key, value) = text.cut("=")
            guard let found = labels[key] else { return false }
            return value == nil || value == found
        }
        return self["label"].allSatisfy(has) && !self["label!"].contains(where: has)
    }

    /// `until=TIME`: a time, or how long ago; nanoseconds since 1970. Of several the earliest counts.
    func until() throws -> UInt64? { try self["until"].map(ListFilters.time).min() }

    private static func time(_ text: String) throws -> UInt64 {
        if let time = Timestamp.nanoseconds(rfc3339: text) { return time }
        if let seconds = UInt64(text), seconds < 1 << 33 { return seconds * 1_000_000_000 }
        guard let ago = try? Durations.nanoseconds(text) else {
            throw EngineError(.invalid, "failed to parse value as time or duration: \(text.goQuoted)")
        }
        let now = Clock.realtime
        return now - min(now, UInt64(clamping: ago))
    }

    /// A filter that is true or false; nil where it was not given.
    func boolean(_ name: String) throws -> Bool? {
        guard let text = self[name].last else { return nil }
        switch text.lowercased() {
        case "1", "true": return true
        case "0", "false": return false
        default: throw EngineError(.invalid, "invalid filter '\(name)=[\(text)]'")
        }
    }
}
