import OCI

/// Sizes, times and names as docker shows them to people.
enum HumanReadable {
    /// `133MB`, `4.2kB`: decimal units, at most `digits` significant digits (docker: 3 in image lists, 4 elsewhere).
    /// Where docker writes `1e+03kB` this goes on to `1MB`.
    static func size(_ bytes: Int64, digits: Int = 4) -> String {
        scaled(Double(bytes), base: 1000, digits: digits, units: ["B", "kB", "MB", "GB", "TB", "PB", "EB"])
    }

    /// `1.5GiB`: binary units, at most 4 significant digits.
    static func binarySize(_ bytes: Int64) -> String {
        scaled(Double(bytes), base: 1024, digits: 4, units: ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"])
    }

    /// `103B`, `2.55kB / 3.00MB` of a build's display: decimal units, always two digits after the point but none for
    /// bytes.
    static func progressSize(_ bytes: Int64) -> String {
        if bytes < 1000 { return "\(bytes)B" }
        var value = Double(bytes)
        var unit = 0
        while value >= 1000, unit < 6 { (value, unit) = (value / 1000, unit + 1) }
        return DecimalText.fixed(value, 2) + ["B", "kB", "MB", "GB", "TB", "PB", "EB"][unit]
    }

    private static func scaled(_ bytes: Double, base: Double, digits: Int, units: [String]) -> String {
        var value = bytes
        var unit = 0
        while value >= base, unit < units.count - 1 { (value, unit) = (value / base, unit + 1) }
        let text = DecimalText.significant(value, digits)
        if base == 1000, text == "1000", unit < units.count - 1 { return "1" + units[unit + 1] }
        return text + units[unit]
    }

    /// `About a minute`, `3 weeks`.
    static func duration(seconds: Int64) -> String {
        let minutes = seconds / 60
        let hours = seconds / 3600 + (seconds % 3600 >= 1800 ? 1 : 0)
        switch seconds {
        case ..<1: return "Less than a second"
        case 1: return "1 second"
        case ..<60: return "\(seconds) seconds"
        case ..<120: return "About a minute"
        default: break
        }
        if minutes < 60 { return "\(minutes) minutes" }
        switch hours {
        case ...1: return "About an hour"
        case ..<48: return "\(hours) hours"
        case ..<(24 * 7 * 2): return "\(hours / 24) days"
        case ..<(24 * 30 * 2): return "\(hours / 24 / 7) weeks"
        case ..<(24 * 365 * 2): return "\(hours / 24 / 30) months"
        default: return "\(seconds / 3600 / 24 / 365) years"
        }
    }

    /// `3 weeks ago`; both in nanoseconds since 1970. A time to come is "Less than a second ago".
    static func ago(_ time: UInt64, now: UInt64) -> String {
        duration(seconds: time > now ? 0 : Int64((now - time) / 1_000_000_000)) + " ago"
    }

    /// `2024-05-01 12:00:00 +0000 UTC`: what `--format {{.CreatedAt}}` gives.
    static func time(_ nanoseconds: UInt64) -> String {
        let text = Timestamp.rfc3339(nanoseconds: nanoseconds / 1_000_000_000 * 1_000_000_000)
        return "\(text.prefix(10)) \(text.dropFirst(11).prefix(8)) +0000 UTC"
    }

    /// The first twelve digits of an id or digest, without its algorithm.
    static func shortID(_ id: String) -> String {
        let digits = id.cut(":").after ?? id
        return String(digits.prefix(12))
    }

    /// The text cut to so many columns, "…" included.
    static func ellipsis(_ text: String, columns: Int) -> String {
        if columns <= 0 { return "" }
        if width(text) <= columns { return text }
        if columns == 1 { return String(text.prefix(1)) }
        var used = 0
        let kept = text.prefix { character in
            used += width(character)
            return used <= columns - 1
        }
        return kept + "…"
    }

    /// How many columns a terminal takes for the text.
    static func width(_ text: String) -> Int {
        if text.utf8.allSatisfy({ $0 < 0x80 }) { return text.utf8.count }
        return text.reduce(0) { $0 + width($1) }
    }

    /// East Asian wide and full-width characters and emoji take two (Unicode Standard Annex 11).
    private static func width(_ character: Character) -> Int {
        guard let scalar = character.unicodeScalars.first else { return 0 }
        switch scalar.value {
        case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xA960...0xA97F, 0xAC00...0xD7A3, 0xF900...0xFAFF,
            0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F, 0x1F900...0x1F9FF, 0x20000...0x3FFFD:
            return 2
        default: return 1
        }
    }
}
