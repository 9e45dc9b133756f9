import OCI

/// The specification's units, which are cgroup v1's, in those of v2.
package enum CgroupUnits {
    /// cpu.weight (1 to 10,000, 100 by default) of CPU shares (2 to 262,144, 1,024 by default).
    ///
    /// The curve through those three points that runc and crun use; a straight line would make the default
    /// shares a weight of 39, less than half of what the host's other services have.
    package static func weight(shares: UInt64) -> UInt64 {
        if shares <= 2 { return 1 }
        if shares >= 262_144 { return 10_000 }
        let logarithm = log2(Double(shares))
        let exponent = (logarithm * logarithm + 125 * logarithm) / 612 - 7.0 / 34
        // Rounded up; the last digits of a whole result are noise.
        let exact = exp(exponent * 2.302_585_092_994_046) * (1 - 1e-12)
        return UInt64(exact) + 1
    }

    // Own functions for one formula: the C library's would make every program of the package link libm.

    /// Bit by bit: squaring doubles a logarithm.
    private static func log2(_ value: Double) -> Double {
        var result = Double(value.exponent)
        var rest = value.significand
        var bit = 0.5
        for _ in 0..<52 {
            rest *= rest
            if rest >= 2 {
                rest /= 2
                result += bit
            }
            bit /= 2
        }
        return result
    }

    /// The power series: its terms fall fast for the exponents up to 9.3 that come up here.
    private static func exp(_ exponent: Double) -> Double {
        var result = 0.0
        var term = 1.0
        for count in 1...60 {
            result += term
            term *= exponent / Double(count)
        }
        return result
    }

    /// io.weight (1 to 10,000) of a blkio weight (10 to 1,000).
    package static func ioWeight(blkio weight: UInt16) -> UInt64 { 1 + (UInt64(weight) - 10) * 9999 / 990 }

    /// -1 is "max" on v2.
    package static func orMax(_ amount: Int64) -> String { amount < 0 ? "max" : String(amount) }

    /// Swap alone, of memory and swap together: nil where nothing was asked for, -1 for no limit.
    static func swap(memory: Int64?, memoryAndSwap: Int64?, limit: CgroupPlan.Limit) throws(EngineError) -> Int64? {
        guard let memoryAndSwap else {
            // No limit on memory lifts that on swap too, as on v1.
            return memory == -1 ? -1 : nil
        }
        if memoryAndSwap < 0 { return -1 }
        // Beside memory without a limit, all of it is swap.
        if memory == -1 { return memoryAndSwap }
        guard let memory, memory > 0 else { throw limit.error(.invalid, "it needs a limit for memory too (--memory)") }
        guard memoryAndSwap >= memory else {
            throw limit.error(.invalid, "\(memoryAndSwap) is less than the memory limit \(memory), which it includes")
        }
        return memoryAndSwap - memory
    }
}

extension String {
    /// A kernel file's only value, without its line end.
    var trimmed: Substring { self[...].trimmed }
}

extension Substring {
    var trimmed: Substring {
        var text = self
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }
}
