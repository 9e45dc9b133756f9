/// `--cpus`: a decimal (`1.5`, `5e-1`) or a fraction (`3/2`).
enum CPUCount {
    /// In billionths of a CPU; exact, or an error.
    static func nano(_ text: String) throws(ValueError) -> Int64 {
        let unreadable = ValueError("failed to parse \(text) as a rational number")
        let (before, after) = text.cut("/")
        guard let numerator = Decimal(before) else { throw unreadable }
        var denominator = Decimal(digits: 1, exponent: 0)
        if let after {
            guard let value = Decimal(after), value.digits > 0, value.exponent == 0 else { throw unreadable }
            denominator = value
        }
        // numerator.digits * 10^(exponent + 9) / denominator.digits
        var digits = numerator.digits
        var exponent = numerator.exponent + 9
        while exponent < 0, digits % 10 == 0 { (digits, exponent) = (digits / 10, exponent + 1) }
        if exponent < 0 { throw ValueError("value is too precise") }
        while exponent > 0, digits != 0 {
            let (product, tooBig) = digits.multipliedReportingOverflow(by: 10)
            if tooBig { throw unreadable }
            (digits, exponent) = (product, exponent - 1)
        }
        guard digits % denominator.digits == 0 else { throw ValueError("value is too precise") }
        return digits / denominator.digits
    }

    /// digits × 10^exponent.
    private struct Decimal {
        var digits: Int64
        var exponent: Int

        init(digits: Int64, exponent: Int) {
            self.digits = digits
            self.exponent = exponent
        }

        init?(_ text: String) {
            let parts = text.split(separator: "e", maxSplits: 1, omittingEmptySubsequences: false)
            var mantissa = parts[0]
            exponent = 0
            if parts.count == 2 {
                guard let value = Int(parts[1]), value.magnitude < 64 else { return nil }
                exponent = value
            }
            if let point = mantissa.firstIndex(of: ".") {
                let fraction = mantissa[mantissa.index(after: point)...]
                guard fraction.allSatisfy({ ("0"..."9").contains($0) }) else { return nil }
                exponent -= fraction.count
                mantissa = mantissa[..<point] + fraction
            }
            guard let value = Int64(mantissa) else { return nil }
            digits = value
        }
    }
}
