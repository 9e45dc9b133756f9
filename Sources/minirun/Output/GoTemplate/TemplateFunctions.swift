import OCI

/// The functions of templates: Go's and docker's.
enum TemplateFunctions {
    struct Failure: Error, Sendable {
        let message: String

        init(_ message: String) { self.message = message }
    }

    /// At least and at most how many arguments; nil is no limit.
    static let argumentCounts: [String: (Int, Int?)] = [
        "and": (1, nil), "or": (1, nil), "not": (1, 1), "len": (1, 1), "index": (1, nil), "slice": (1, 4),
        "eq": (2, nil), "ne": (2, 2), "lt": (2, 2), "le": (2, 2), "gt": (2, 2), "ge": (2, 2),
        "print": (0, nil), "println": (0, nil), "printf": (1, nil),
        "json": (1, 1), "join": (2, 2), "split": (2, 2), "lower": (1, 1), "upper": (1, 1), "title": (1, 1),
        "pad": (3, 3), "truncate": (2, 2),
    ]

    static var names: Dictionary<String, (Int, Int?)>.Keys { argumentCounts.keys }

    /// Those that docker turns off for a table's headers; `pad` stays.
    static let textFunctions: Set<String> = ["json", "split", "join", "title", "lower", "upper", "truncate"]

    /// Everything but false, zero, nothing and what is empty.
    static func isTrue(_ value: JSON) -> Bool {
        switch value {
        case .null: false
        case .bool(let state): state
        case .number(let text): Double(text) != 0
        case .string(let text): !text.isEmpty
        case .array(let elements): !elements.isEmpty
        case .object(let members): !members.isEmpty
        }
    }

    /// Calls a function other than "and" and "or", whose argument count was checked.
    static func call(_ name: String, _ arguments: [JSON]) throws(Failure) -> JSON {
        switch name {
        case "not": return .bool(!isTrue(arguments[0]))
        case "len": return .number(try length(arguments[0]))
        case "index":
            var value = arguments[0]
            for place in arguments.dropFirst() { value = try index(value, place) }
            return value
        case "slice": return try slice(arguments)
        case "eq":
            for other in arguments.dropFirst() where try equal(arguments[0], other) { return .bool(true) }
            return .bool(false)
        case "ne": return .bool(try !equal(arguments[0], arguments[1]))
        case "lt": return .bool(try less(arguments[0], arguments[1]))
        case "ge": return .bool(try !less(arguments[0], arguments[1]))
        case "gt": return .bool(try less(arguments[1], arguments[0]))
        case "le": return .bool(try !less(arguments[1], arguments[0]))
        case "print": return .string(TemplatePrinter.print(arguments))
        case "println": return .string(arguments.map(TemplatePrinter.inner).joined(separator: " ") + "\n")
        case "printf": return .string(TemplatePrinter.format(try string(arguments[0]), Array(arguments.dropFirst())))
        default: return try docker(name, arguments)
        }
    }

    private static func docker(_ name: String, _ arguments: [JSON]) throws(Failure) -> JSON {
        switch name {
        case "json": return .string(arguments[0].text())
        case "join": return .string(try join(arguments[0], try string(arguments[1])))
        case "split": return .array(split(try string(arguments[0]), try string(arguments[1])).map { .string($0) })
        case "lower": return .string(try string(arguments[0]).lowercased())
        case "upper": return .string(try string(arguments[0]).uppercased())
        case "title":
            var previous: Character = " "
            return .string(
                String(
                    try string(arguments[0]).flatMap { character in
                        defer { previous = character }
                        let inWord = previous.isLetter || previous.isNumber || previous == "_"
                        return inWord ? String(character) : character.uppercased()
                    }
                )
            )
        case "pad":
            let text = try string(arguments[0])
            if text.isEmpty { return .string(text) }
            let before = String(repeating: " ", count: max(0, try integer(arguments[1])))
            return .string(before + text + String(repeating: " ", count: max(0, try integer(arguments[2]))))
        case "truncate": return .string(String(try string(arguments[0]).prefix(max(0, try integer(arguments[1])))))
        default: throw Failure("not defined")
        }
    }

    private static func string(_ value: JSON) throws(Failure) -> String {
        guard let text = value.string else {
            throw Failure("wrong type for value; expected string; got \(TemplatePrinter.typeName(value))")
        }
        return text
    }

    private static func integer(_ value: JSON) throws(Failure) -> Int {
        guard let number = value.int else {
            throw Failure("wrong type for value; expected int; got \(TemplatePrinter.typeName(value))")
        }
        return min(number, 1 << 20)
    }

    private static func length(_ value: JSON) throws(Failure) -> Int {
        switch value {
        case .string(let text): return text.utf8.count
        case .array(let elements): return elements.count
        case .object(let members): return members.count
        case .null: return 0
        default: throw Failure("len of type \(TemplatePrinter.typeName(value))")
        }
    }

    /// An element, or the value of a key. A missing key gives an empty string where the others are strings, because
    /// docker's labels are Go's map[string]string, and nothing (null) where they are not.
    private static func index(_ value: JSON, _ place: JSON) throws(Failure) -> JSON {
        switch value {
        case .array(let elements):
            guard let number = place.int else {
                throw Failure("cannot index slice/array with type \(TemplatePrinter.typeName(place))")
            }
            guard elements.indices.contains(number) else { throw Failure("index out of range: \(number)") }
            return elements[number]
        case .object(let members):
            let key = try string(place)
            if let member = members.last(where: { $0.key == key }) { return member.value }
            return members.allSatisfy { $0.value.string != nil } ? .string("") : .null
        case .null where place.string != nil: return .string("")
        case .string(let text):
            guard let number = place.int, text.utf8.count > number, number >= 0 else {
                throw Failure("index out of range: \(TemplatePrinter.inner(place))")
            }
            return .number(Array(text.utf8)[number])
        case .null: throw Failure("index of untyped nil")
        default: throw Failure("can't index item of type \(TemplatePrinter.typeName(value))")
        }
    }

    private static func slice(_ arguments: [JSON]) throws(Failure) -> JSON {
        let count = try length(arguments[0])
        let from = arguments.count > 1 ? try integer(arguments[1]) : 0
        let to = arguments.count > 2 ? try integer(arguments[2]) : count
        guard from >= 0, from <= to, to <= count else {
            throw Failure("index out of range: \(from > count ? from : to)")
        }
        switch arguments[0] {
        case .string(let text): return .string(String(decoding: Array(text.utf8)[from..<to], as: UTF8.self))
        case .array(let elements): return .array(Array(elements[from..<to]))
        default: throw Failure("can't slice item of type \(TemplatePrinter.typeName(arguments[0]))")
        }
    }

    private static func equal(_ a: JSON, _ b: JSON) throws(Failure) -> Bool {
        switch (a, b) {
        case (.string, .string), (.number, .number), (.bool, .bool): return a == b
        case (.null, _), (_, .null): return a == b
        case (.array, _), (_, .array), (.object, _), (_, .object): throw Failure("non-comparable type")
        default: throw Failure("incompatible types for comparison")
        }
    }

    private static func less(_ a: JSON, _ b: JSON) throws(Failure) -> Bool {
        switch (a, b) {
        case (.string(let x), .string(let y)): return x.unicodeScalars.lexicographicallyPrecedes(y.unicodeScalars)
        case (.number(let x), .number(let y)):
            if let x = Int64(x), let y = Int64(y) { return x < y }
            return (Double(x) ?? 0) < (Double(y) ?? 0)
        case (.string, .number), (.number, .string): throw Failure("incompatible types for comparison")
        default: throw Failure("invalid type for comparison")
        }
    }

    private static func join(_ value: JSON, _ separator: String) throws(Failure) -> String {
        switch value {
        case .null: return ""
        case .array(let elements): return elements.map(TemplatePrinter.inner).joined(separator: separator)
        case .object(let members):
            return members.map { TemplatePrinter.inner($0.value) }.sorted().joined(separator: separator)
        default: throw Failure("expected slice, got \(TemplatePrinter.typeName(value))")
        }
    }

    private static func split(_ text: String, _ separator: String) -> [String] {
        if separator.isEmpty { return text.map { String($0) } }
        var parts: [String] = []
        var part = ""
        var rest = text[...]
        while !rest.isEmpty {
            if rest.hasPrefix(separator) {
                parts.append(part)
                part = ""
                rest = rest.dropFirst(separator.count)
            } else {
                part.append(rest.removeFirst())
            }
        }
        return parts + [part]
    }
}
