/// Numbers as decimal text, correctly rounded from the exact binary value as C and Go do; without a C library's printf.
enum DecimalText {
    /// `%.nf` for up to 18 digits after the point.
    static func fixed(_ value: Double, _ digits: Int) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        let sign = value.sign == .minus ? "-" : ""
        guard value.magnitude < 0x1p63 else { return sign + value.magnitude.description }
        let text = String(scaled(value.magnitude, digits))
        if digits == 0 { return sign + text }
        let padded = String(repeating: "0", count: max(0, digits + 1 - text.count)) + text
        return sign + padded.dropLast(digits) + "." + padded.suffix(digits)
    }

    /// `%.ng` without an exponent: at most `digits` significant digits, no zeros at the end.
    static func significant(_ value: Double, _ digits: Int) -> String {
        var whole = 1
        var limit = 10.0
        while value.magnitude >= limit, whole < digits { (whole, limit) = (whole + 1, limit * 10) }
        var decimals = digits - whole
        var small = value.magnitude
        while small > 0, small < 1, decimals < 18 { (small, decimals) = (small * 10, decimals + 1) }
        var text = fixed(value, decimals)
        guard text.contains(".") else { return text }
        while text.hasSuffix("0") { text.removeLast() }
        if text.hasSuffix(".") { text.removeLast() }
        return text
    }

    /// value × 10^digits as a whole number, ties to even.
    private static func scaled(_ value: Double, _ digits: Int) -> UInt128 {
        if value == 0 { return 0 }
        var factor: UInt128 = 1
        for _ in 0..<digits { factor *= 10 }
        let normal = value.isNormal
        let significand = UInt128(value.significandBitPattern) | (normal ? 1 << 52 : 0)
        let exponent = (normal ? Int(value.exponent) : -1022) - 52
        let product = significand * factor
        if exponent >= 0 { return product << UInt128(exponent) }
        let shift = -exponent
        if shift >= 127 { return 0 }
        let quotient = product >> UInt128(shift)
        let rest = product & ((1 << UInt128(shift)) - 1)
        let half: UInt128 = 1 << UInt128(shift - 1)
        let up = rest > half || (rest == half && quotient & 1 == 1)
        return up ? quotient + 1 : quotient
    }
}
