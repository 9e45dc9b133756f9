import LinuxSystem

/// Text as Go's fmt, strconv and time write and read it: docker's histories and messages are made of it.
enum GoText {
    /// `"a\tb"`, as `%q` writes it.
    static func quote(_ text: String) -> String {
        var out = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\u{07}": out += "\\a"
            case "\u{08}": out += "\\b"
            case "\u{0C}": out += "\\f"
            case "\n": out += "\\n"
            case "\r": out += "\\r"
            case "\t": out += "\\t"
            case "\u{0B}": out += "\\v"
            default: out += isPrintable(scalar) ? String(scalar) : escape(scalar)
            }
        }
        return out + "\""
    }

    /// `["a" "b"]`, as `%q` writes a list.
    static func quote(_ list: [String]) -> String { "[" + list.map(quote).joined(separator: " ") + "]" }

    /// `[a b]`, as `%v` writes a list.
    static func list(_ list: [String]) -> String { "[" + list.joined(separator: " ") + "]" }

    private static func escape(_ scalar: Unicode.Scalar) -> String {
        if let byte = scalar.standsFor { return "\\x" + String(byte, radix: 16) }
        func hex(_ width: Int) -> String {
            let digits = String(scalar.value, radix: 16)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        if scalar.value < 0x80 { return "\\x" + hex(2) }
        return scalar.value < 0x10000 ? "\\u" + hex(4) : "\\U" + hex(8)
    }

    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: false
        case .spaceSeparator: scalar == " "
        default: true
        }
    }

    /// `1m30s`, as `%v` writes a duration of nanoseconds.
    static func duration(_ nanoseconds: Int64) -> String {
        if nanoseconds == 0 { return "0s" }
        let (sign, rest) = nanoseconds < 0 ? ("-", nanoseconds.magnitude) : ("", nanoseconds.magnitude)
        func fraction(_ unit: UInt64) -> String {
            guard rest % unit != 0 else { return "" }
            var digits = String(unit + rest % unit).dropFirst()
            while digits.hasSuffix("0") { digits.removeLast() }
            return ".\(digits)"
        }
        if rest < 1_000 { return "\(sign)\(rest)ns" }
        if rest < 1_000_000 { return "\(sign)\(rest / 1_000)\(fraction(1_000))µs" }
        if rest < 1_000_000_000 { return "\(sign)\(rest / 1_000_000)\(fraction(1_000_000))ms" }
        let seconds = rest / 1_000_000_000
        var text = "\(seconds % 60)\(fraction(1_000_000_000))s"
        if seconds >= 60 { text = "\(seconds / 60 % 60)m" + text }
        if seconds >= 3600 { text = "\(seconds / 3600)h" + text }
        return sign + text
    }

    /// Reads `1h30m`, `1.5s`, `-300ms` into nanoseconds; nil where it is no duration or does not fit.
    static func nanoseconds(_ text: String) -> Int64? {
        var rest = text.scalars[...]
        let isNegative = rest.first == "-"
        if isNegative || rest.first == "+" { rest.removeFirst() }
        if rest.string == "0" { return 0 }
        guard !rest.isEmpty else { return nil }
        var total: Double = 0
        while !rest.isEmpty {
            let number = rest.prefix { $0.isDigit || $0 == "." }
            rest = rest.dropFirst(number.count)
            let unit = rest.prefix { !$0.isDigit && $0 != "." }
            rest = rest.dropFirst(unit.count)
            guard number.contains(where: \.isDigit), number.count(where: { $0 == "." }) <= 1,
                let value = Double("0" + number.string + (number.last == "." ? "0" : "")),
                let scale = units[unit.string]
            else { return nil }
            total += value * scale
        }
        guard total < 9.2e18 else { return nil }
        return Int64((isNegative ? -total : total).rounded())
    }

    private static let units: [String: Double] = [
        "ns": 1, "us": 1e3, "µs": 1e3, "μs": 1e3, "ms": 1e6, "s": 1e9, "m": 60e9, "h": 3600e9,
    ]

    /// Reads what strconv.ParseBool takes.
    static func bool(_ text: String) -> Bool? {
        switch text {
        case "1", "t", "T", "true", "TRUE", "True": true
        case "0", "f", "F", "false", "FALSE", "False": false
        default: nil
        }
    }
}
