import OCI

/// Values as Go's fmt prints them.
enum TemplatePrinter {
    /// As the result of an action.
    static func top(_ value: JSON) -> String { value.isNull ? "<no value>" : inner(value) }

    /// `%v`.
    static func inner(_ value: JSON) -> String {
        switch value {
        case .null: return "<nil>"
        case .bool(let state): return state ? "true" : "false"
        case .number(let text): return text
        case .string(let text): return text
        case .array(let elements): return "[" + elements.map(inner).joined(separator: " ") + "]"
        case .object(let members):
            let sorted = members.sorted { $0.key < $1.key }
            return "map[" + sorted.map { "\($0.key):\(inner($0.value))" }.joined(separator: " ") + "]"
        }
    }

    static func typeName(_ value: JSON) -> String {
        switch value {
        case .null: "<nil>"
        case .bool: "bool"
        case .number(let text): Int64(text) == nil ? "float64" : "int"
        case .string: "string"
        case .array: "[]interface {}"
        case .object: "map[string]interface {}"
        }
    }

    /// Blanks between two values of which neither is a string.
    static func print(_ values: [JSON]) -> String {
        var text = ""
        for (index, value) in values.enumerated() {
            if index > 0, value.string == nil, values[index - 1].string == nil { text += " " }
            text += inner(value)
        }
        return text
    }

    /// `printf`.
    static func format(_ format: String, _ values: [JSON]) -> String {
        var text = ""
        var rest = format[...]
        var used = 0
        while let percent = rest.firstIndex(of: "%") {
            text += rest[..<percent]
            rest = rest[rest.index(after: percent)...]
            var verb = Verb(&rest)
            guard let letter = rest.popFirst() else {
                text += "%!(NOVERB)"
                break
            }
            if letter == "%" {
                text += "%"
                continue
            }
            if verb.widthFromValue, used < values.count {
                verb.width = values[used].int ?? 0
                used += 1
            }
            guard used < values.count else {
                text += "%!\(letter)(MISSING)"
                continue
            }
            text += verb.text(letter, values[used])
            used += 1
        }
        text += rest
        if used < values.count {
            let extra = values[used...].map { "\(typeName($0))=\(inner($0))" }.joined(separator: ", ")
            text += "%!(EXTRA \(extra))"
        }
        return text
    }

    /// Flags, width and precision of one verb.
    private struct Verb {
        var left = false
        var zero = false
        var plus = false
        var space = false
        var sharp = false
        var width = 0
        var widthFromValue = false
        var precision: Int?

        init(_ rest: inout Substring) {
            flags: while let letter = rest.first {
                switch letter {
                case "-": left = true
                case "0": zero = true
                case "+": plus = true
                case " ": space = true
                case "#": sharp = true
                default: break flags
                }
                rest.removeFirst()
            }
            if rest.first == "*" {
                widthFromValue = true
                rest.removeFirst()
            }
            width = Verb.number(&rest) ?? 0
            if rest.first == "." {
                rest.removeFirst()
                precision = Verb.number(&rest) ?? 0
            }
        }

        private static func number(_ rest: inout Substring) -> Int? {
            let digits = rest.prefix { ("0"..."9").contains($0) }
            rest = rest[digits.endIndex...]
            return digits.isEmpty ? nil : min(Int(digits) ?? 0, 4096)
        }

        func text(_ letter: Character, _ value: JSON) -> String {
            guard let content = content(letter, value) else {
                return "%!\(letter)(\(TemplatePrinter.typeName(value))=\(TemplatePrinter.inner(value)))"
            }
            let missing = max(0, width - content.count)
            if left { return content + String(repeating: " ", count: missing) }
            guard zero, letter != "s", letter != "q", letter != "v" || value.string == nil else {
                return String(repeating: " ", count: missing) + content
            }
            let sign = content.hasPrefix("-") || content.hasPrefix("+") ? 1 : 0
            return content.prefix(sign) + String(repeating: "0", count: missing) + content.dropFirst(sign)
        }

        /// The value without padding; nil where the verb does not fit it.
        private func content(_ letter: Character, _ value: JSON) -> String? {
            switch (letter, value) {
            case ("v", _): return TemplatePrinter.inner(value)
            case ("T", _): return TemplatePrinter.typeName(value)
            case ("s", .string(let text)): return precision.map { String(text.prefix($0)) } ?? text
            case ("s", .array), ("s", .object): return TemplatePrinter.inner(value)
            case ("q", .string(let text)): return text.goQuoted
            case ("t", .bool(let state)): return state ? "true" : "false"
            case ("d", .number(let text)):
                guard let number = Int64(text) else { return nil }
                return (number >= 0 && plus ? "+" : number >= 0 && space ? " " : "") + String(number)
            case ("x", .number), ("X", .number), ("o", .number), ("b", .number), ("c", .number):
                return value.int.flatMap { inBase(letter, $0) }
            case ("x", .string(let text)), ("X", .string(let text)):
                let digits = text.utf8.map { String.hexadecimal(UInt32($0), width: 2) }.joined()
                return letter == "X" ? digits.uppercased() : digits
            case ("f", .number), ("F", .number):
                return value.double.map {
                    ($0 >= 0 && plus ? "+" : "") + DecimalText.fixed($0, min(precision ?? 6, 18))
                }
            case ("g", .number): return value.double.map { DecimalText.significant($0, min(precision ?? 17, 17)) }
            default: return nil
            }
        }

        private func inBase(_ letter: Character, _ number: Int) -> String? {
            switch letter {
            case "x": return (sharp ? "0x" : "") + String(number, radix: 16)
            case "X": return (sharp ? "0X" : "") + String(number, radix: 16).uppercased()
            case "o": return (sharp ? "0" : "") + String(number, radix: 8)
            case "b": return String(number, radix: 2)
            default: return Unicode.Scalar(UInt32(truncatingIfNeeded: number)).map { String(Character($0)) }
            }
        }
    }
}
