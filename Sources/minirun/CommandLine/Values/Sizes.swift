/// Sizes as docker takes them: `512m`, `1.5g`, `64KiB`, `100 kb`. Units are binary and their case does not matter.
enum Sizes {
    static func bytes(_ text: String) throws(ValueError) -> Int64 {
        let (number, unit) = try split(text)
        guard let value = Double(number), number.allSatisfy({ $0.isASCII }) else {
            throw ValueError("strconv.ParseFloat: parsing \(number.goQuoted): invalid syntax")
        }
        if value < 0 { throw ValueError("invalid size: '\(text)'") }
        guard let factor = factor(of: unit.lowercased()) else {
            // docker lowers the unit's case unless it is too long to be one.
            throw ValueError("invalid suffix: '\(unit.utf8.count > 3 ? unit : unit.lowercased())'")
        }
        let product = value * factor
        // Stricter than docker, where this wraps to a negative number; what is no number is never less.
        guard product < 9_223_372_036_854_775_808 else { throw ValueError("invalid size: '\(text)'") }
        return Int64(product)
    }

    /// A size, or `-1` for no limit.
    static func bytesOrUnlimited(_ text: String) throws(ValueError) -> Int64 {
        if text == "-1" { return -1 }
        return try bytes(text)
    }

    private static func split(_ text: String) throws(ValueError) -> (String, String) {
        let (number, unit) = text.cut(" ")
        if let unit { return (number, unit) }
        guard let last = text.lastIndex(where: { ("0"..."9").contains($0) || $0 == "." }) else {
            throw ValueError("invalid size: '\(text)'")
        }
        let end = text.index(after: last)
        return (String(text[..<end]), String(text[end...]))
    }

    private static func factor(of unit: String) -> Double? {
        switch unit {
        case "", "b": 1
        case "k", "kb", "kib": 0x1p10
        case "m", "mb", "mib": 0x1p20
        case "g", "gb", "gib": 0x1p30
        case "t", "tb", "tib": 0x1p40
        case "p", "pb", "pib": 0x1p50
        default: nil
        }
    }
}
