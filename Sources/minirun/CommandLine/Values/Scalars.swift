/// Plain booleans and whole numbers as Go's strconv reads them, with its messages: docker shows those unchanged.
enum Scalars {
    static func boolean(_ text: String) throws(ValueError) -> Bool {
        switch text {
        case "1", "t", "T", "true", "TRUE", "True": return true
        case "0", "f", "F", "false", "FALSE", "False": return false
        default: throw ValueError("strconv.ParseBool: parsing \(text.goQuoted): invalid syntax")
        }
    }

    /// Decimal, or with the prefix 0x, 0o (or 0) or 0b; underscores may separate digits.
    static func integer(_ text: String) throws(ValueError) -> Int64 {
        var digits = text[...]
        let negative = digits.first == "-"
        if negative || digits.first == "+" { digits = digits.dropFirst() }
        var radix: UInt64 = 10
        if digits.first == "0", digits.count > 1 {
            switch digits.dropFirst().first {
            case "x", "X": (radix, digits) = (16, digits.dropFirst(2))
            case "o", "O": (radix, digits) = (8, digits.dropFirst(2))
            case "b", "B": (radix, digits) = (2, digits.dropFirst(2))
            default: (radix, digits) = (8, digits.dropFirst())
            }
        }
        return try integer(digits, radix: radix, negative: negative, original: text)
    }

    /// Decimal only.
    static func decimalInteger(_ text: String) throws(ValueError) -> Int64 {
        var digits = text[...]
        let negative = digits.first == "-"
        if negative || digits.first == "+" { digits = digits.dropFirst() }
        if digits.contains("_") { throw invalid(text) }
        return try integer(digits, radix: 10, negative: negative, original: text)
    }

    private static func integer(_ digits: Substring, radix: UInt64, negative: Bool, original: String)
        throws(ValueError) -> Int64
    {
        if digits.isEmpty || digits.last == "_" { throw invalid(original) }
        var value: UInt64 = 0
        var overflow = false
        for digit in digits where digit != "_" {
            guard digit.isASCII, let number = digit.hexDigitValue, number < radix else { throw invalid(original) }
            let (product, tooBig) = value.multipliedReportingOverflow(by: radix)
            let (sum, stillTooBig) = product.addingReportingOverflow(UInt64(number))
            overflow = overflow || tooBig || stillTooBig
            value = sum
        }
        let limit = UInt64(Int64.max) + (negative ? 1 : 0)
        if overflow || value > limit {
            throw ValueError("strconv.ParseInt: parsing \(original.goQuoted): value out of range")
        }
        return negative ? Int64(truncatingIfNeeded: 0 &- value) : Int64(value)
    }

    private static func invalid(_ text: String) -> ValueError {
        ValueError("strconv.ParseInt: parsing \(text.goQuoted): invalid syntax")
    }
}
