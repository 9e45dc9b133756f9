/// Durations as Go writes them: `1m30s`, `1.5h`, `300ms`, `0`.
enum Durations {
    static func nanoseconds(_ text: String) throws(ValueError) -> Int64 {
        let invalid = ValueError("time: invalid duration \(text.goQuoted)")
        var rest = text[...]
        let negative = rest.first == "-"
        if negative || rest.first == "+" { rest = rest.dropFirst() }
        if rest == "0" { return 0 }
        if rest.isEmpty { throw invalid }
        var total: Double = 0
        var exact: Int64 = 0
        while !rest.isEmpty {
            let number = rest.prefix { ("0"..."9").contains($0) || $0 == "." }
            rest = rest.dropFirst(number.count)
            let unit = rest.prefix { !("0"..."9").contains($0) && $0 != "." }
            rest = rest.dropFirst(unit.count)
            guard number.contains(where: { $0 != "." }), number.filter({ $0 == "." }).count <= 1 else { throw invalid }
            if unit.isEmpty { throw ValueError("time: missing unit in duration \(text.goQuoted)") }
            guard let factor = factor(of: unit) else {
                throw ValueError("time: unknown unit \(String(unit).goQuoted) in duration \(text.goQuoted)")
            }
            if let whole = Int64(number) {
                let (product, tooBig) = whole.multipliedReportingOverflow(by: factor)
                let (sum, stillTooBig) = exact.addingReportingOverflow(product)
                if tooBig || stillTooBig { throw invalid }
                exact = sum
            } else {
                guard let value = Double(number.first == "." ? "0\(number)" : "\(number)0") else { throw invalid }
                total += value * Double(factor)
            }
        }
        if total >= 0x1p62 { throw invalid }
        let (sum, tooBig) = exact.addingReportingOverflow(Int64(total))
        if tooBig { throw invalid }
        return negative ? -sum : sum
    }

    private static func factor(of unit: Substring) -> Int64? {
        switch unit {
        case "ns": 1
        case "us", "µs", "μs": 1000
        case "ms": 1_000_000
        case "s": 1_000_000_000
        case "m": 60_000_000_000
        case "h": 3_600_000_000_000
        default: nil
        }
    }
}
