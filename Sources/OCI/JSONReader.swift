/// An object of a configuration that is being read, with its place for the error's text:
/// "invalid linux.resources: blockIO.weightDevice[1]: …".
///
/// A key with the value null counts as missing, as in Go, and keys that nobody asks for are ignored (runtime-spec,
/// config.md#extensibility). Strings with a null byte are errors: the kernel's calls would see only what stands before it.
package struct JSONReader {
    package let json: JSON
    /// What is being read, as an error names it: "config.json", "seccomp profile".
    private let subject: String
    private let place: String

    /// A whole document. Fails where it is not an object.
    package init(_ json: JSON, _ subject: String) throws(EngineError) { try self.init(json, subject, place: "") }

    private init(_ json: JSON, _ subject: String, place: String) throws(EngineError) {
        self.json = json
        self.subject = subject
        self.place = place
        guard json.object != nil else { throw error("not an object") }
    }

    /// An error at this place.
    package func error(_ what: String) -> EngineError {
        EngineError(.invalid, "invalid \(subject): \(place.isEmpty ? "" : "\(place): ")\(what)")
    }

    private func path(_ key: String) -> String { place.isEmpty ? key : "\(place).\(key)" }

    private func value<V>(_ key: String, _ kind: String, _ read: (JSON) -> V?) throws(EngineError) -> V? {
        guard let member = json[key], !member.isNull else { return nil }
        guard let value = read(member) else { throw error("\"\(key)\" is not \(kind)") }
        return value
    }

    private func checked(_ text: String, _ key: String) throws(EngineError) -> String {
        guard !text.utf8.contains(0) else { throw error("\"\(key)\" holds a null byte") }
        return text
    }
}

// MARK: - single values

extension JSONReader {
    package func bool(_ key: String) throws(EngineError) -> Bool? { try value(key, "true or false", \.bool) }

    package func string(_ key: String) throws(EngineError) -> String? {
        guard let text = try value(key, "a string", \.string) else { return nil }
        return try checked(text, key)
    }

    /// A string; nil where it is empty, which is Go's way of saying that there is none.
    package func text(_ key: String) throws(EngineError) -> String? {
        guard let text = try string(key), !text.isEmpty else { return nil }
        return text
    }

    /// A string that must be there and must not be empty.
    package func needText(_ key: String) throws(EngineError) -> String {
        guard let text = try text(key) else { throw error("\"\(key)\" is missing") }
        return text
    }

    package func integer<I: FixedWidthInteger>(_ key: String) throws(EngineError) -> I? {
        guard let member = json[key], !member.isNull else { return nil }
        guard case .number(let text) = member, let value = I(text) else {
            throw error("\"\(key)\" is no whole number from \(I.min) to \(I.max)")
        }
        return value
    }

    /// A number that must be there.
    package func need<I: FixedWidthInteger>(_ key: String) throws(EngineError) -> I {
        guard let value: I = try integer(key) else { throw error("\"\(key)\" is missing") }
        return value
    }

    /// A string that must be one of an enumeration's.
    package func choice<E: RawRepresentable<String>>(_ key: String, of type: E.Type) throws(EngineError) -> E? {
        guard let text = try string(key) else { return nil }
        return try known(text, key, type)
    }

    private func known<E: RawRepresentable<String>>(_ text: String, _ key: String, _: E.Type) throws(EngineError) -> E {
        guard let value = E(rawValue: text) else { throw error("unknown \"\(key)\": \"\(text)\"") }
        return value
    }
}

// MARK: - lists and objects

extension JSONReader {
    /// A list of strings; nil where the key is missing.
    package func strings(_ key: String) throws(EngineError) -> [String]? {
        guard let texts = try value(key, "a list of strings", \.strings) else { return nil }
        for text in texts { _ = try checked(text, key) }
        return texts
    }

    /// A list of an enumeration's strings; nil where the key is missing.
    package func choices<E: RawRepresentable<String>>(_ key: String, of type: E.Type) throws(EngineError) -> [E]? {
        guard let texts = try strings(key) else { return nil }
        var result: [E] = []
        for text in texts { result.append(try known(text, key, type)) }
        return result
    }

    /// A list of numbers; empty where the key is missing.
    package func integers<I: FixedWidthInteger>(_ key: String) throws(EngineError) -> [I] {
        var result: [I] = []
        for element in try value(key, "a list", \.array) ?? [] {
            guard case .number(let text) = element, let number = I(text) else {
                throw error("\"\(key)\" holds something else than whole numbers from \(I.min) to \(I.max)")
            }
            result.append(number)
        }
        return result
    }

    /// An object of strings; empty where the key is missing.
    package func texts(_ key: String) throws(EngineError) -> [String: String] {
        var result: [String: String] = [:]
        for (name, value) in try value(key, "an object", \.object) ?? [] {
            guard let text = value.string else { throw error("\"\(key).\(name)\" is not a string") }
            result[try checked(name, key)] = try checked(text, "\(key).\(name)")
        }
        return result
    }

    /// An object below this one; nil where the key is missing.
    package func member(_ key: String) throws(EngineError) -> JSONReader? {
        guard let member = json[key], !member.isNull else { return nil }
        return try JSONReader(member, subject, place: path(key))
    }

    /// An object's objects with their keys; none where the key is missing.
    package func members(_ key: String) throws(EngineError) -> [(key: String, value: JSONReader)] {
        var result: [(key: String, value: JSONReader)] = []
        for (name, value) in try value(key, "an object", \.object) ?? [] {
            let reader = try JSONReader(value, subject, place: path("\(key).\(name)"))
            result.append((try checked(name, key), reader))
        }
        return result
    }

    /// A list's objects; none where the key is missing.
    package func list(_ key: String) throws(EngineError) -> [JSONReader] {
        var result: [JSONReader] = []
        for (index, element) in (try value(key, "a list", \.array) ?? []).enumerated() {
            result.append(try JSONReader(element, subject, place: path("\(key)[\(index)]")))
        }
        return result
    }
}
