import LinuxSystem

extension String {
    /// The text in double quotes as Go's `%q` writes it: docker's messages quote values that way.
    var goQuoted: String {
        var out = "\""
        for scalar in unicodeScalars {
            switch scalar {
            case " ": out += " "
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\r": out += "\\r"
            case "\t": out += "\\t"
            case "\u{07}": out += "\\a"
            case "\u{08}": out += "\\b"
            case "\u{0B}": out += "\\v"
            case "\u{0C}": out += "\\f"
            default:
                if let byte = scalar.standsFor {
                    out += "\\x" + String(byte, radix: 16)
                } else if scalar.value < 0x20 || scalar.value == 0x7F {
                    out += "\\x" + String.hexadecimal(scalar.value, width: 2)
                } else if scalar.properties.isGoPrintable {
                    out.unicodeScalars.append(scalar)
                } else if scalar.value <= 0xFFFF {
                    out += "\\u" + String.hexadecimal(scalar.value, width: 4)
                } else {
                    out += "\\U" + String.hexadecimal(scalar.value, width: 8)
                }
            }
        }
        return out + "\""
    }

    /// Lower-case hexadecimal with leading zeros.
    static func hexadecimal(_ value: UInt32, width: Int) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: Swift.max(0, width - digits.utf8.count)) + digits
    }

    /// The text before the first separator and the one after it; nil after it where there is none. A mark behind the separator
    /// does not make another character of it.
    func cut(_ separator: Unicode.Scalar) -> (before: String, after: String?) {
        guard let index = unicodeScalars.firstIndex(of: separator) else { return (self, nil) }
        return (String(self[..<index]), String(self[unicodeScalars.index(after: index)...]))
    }

    /// Without blanks at both ends (Unicode white space).
    var trimmed: String {
        guard let first = firstIndex(where: { !$0.isWhitespace }), let last = lastIndex(where: { !$0.isWhitespace })
        else { return "" }
        return String(self[first...last])
    }
}

extension Unicode.Scalar.Properties {
    /// Letters, marks, numbers, punctuation and symbols: what Go's `%q` leaves alone.
    fileprivate var isGoPrintable: Bool {
        switch generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned: false
        case .lineSeparator, .paragraphSeparator, .spaceSeparator: false
        default: true
        }
    }
}
