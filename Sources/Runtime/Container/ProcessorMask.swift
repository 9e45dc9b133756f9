/// A set of processors as sched_setaffinity(2) takes it: a bit for each, the lowest first.
enum ProcessorMask {
    /// "0x3", without leading zeros.
    static func text(_ mask: [UInt8]) -> String {
        let digits = mask.reversed().flatMap { [$0 >> 4, $0 & 15] }.drop { $0 == 0 }
        return "0x" + (digits.isEmpty ? "0" : digits.map { String($0, radix: 16) }.joined())
    }
}
