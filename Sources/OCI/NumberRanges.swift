/// A list of processors or memory nodes as the kernel writes it: "0-3,7" (cpuset(7), formats, list).
package struct NumberRanges: Equatable, Sendable {
    package let ranges: [ClosedRange<Int>]

    /// No machine has more; a bit mask of it stays small.
    package static let most = 65536

    /// Fails on what is neither a number nor a range; spaces and empty places between commas are allowed, as in the kernel.
    package init(_ text: String) throws(EngineError) {
        var ranges: [ClosedRange<Int>] = []
        for part in text.split(separator: ",") {
            let part = part.split(separator: " ").joined(separator: " ")
            if part.isEmpty { continue }
            let ends = part.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false).map(
                NumberRanges.number
            )
            guard let first = ends[0], let last = ends[ends.count - 1], first <= last else {
                throw EngineError(
                    .invalid,
                    "\"\(text)\" is not a list such as \"0-3,7\" of numbers up to \(NumberRanges.most)"
                )
            }
            ranges.append(first...last)
        }
        self.ranges = ranges
    }

    package var isEmpty: Bool { ranges.isEmpty }

    private static func number(_ text: Substring) -> Int? {
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(text), number <= most else {
            return nil
        }
        return number
    }
}
