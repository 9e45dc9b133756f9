import Images
import OCI

/// Sizes of what lies on a disk: `20GB` are 20,000,000,000 bytes, as `system df` shows them, and `20GiB` are binary.
enum DiskSizes {
    static func bytes(_ text: String) throws(ValueError) -> Int64 {
        let number = text.prefix { ("0"..."9").contains($0) || $0 == "." }
        let unit = String(text.dropFirst(number.count)).trimmed.lowercased()
        guard let value = Double(number), let factor = factor(of: unit), value * factor < 0x1p62 else {
            throw ValueError("invalid size: '\(text)'")
        }
        return Int64(value * factor)
    }

    private static func factor(of unit: String) -> Double? {
        switch unit {
        case "", "b": 1
        case "k", "kb": 1e3
        case "m", "mb": 1e6
        case "g", "gb": 1e9
        case "t", "tb": 1e12
        case "kib": 0x1p10
        case "mib": 0x1p20
        case "gib": 0x1p30
        case "tib": 0x1p40
        default: nil
        }
    }

    /// A share of the disk or a size.
    static func free(_ text: String) throws(ValueError) -> StoreLimits.Free {
        guard text.hasSuffix("%") else { return .bytes(try bytes(text)) }
        guard let percent = Int(text.dropLast()), (1...99).contains(percent) else {
            throw ValueError("invalid share: '\(text)' is not between 1% and 99%")
        }
        return .percent(percent)
    }
}
