/// Where something stands in a Dockerfile: lines and columns count from 1, columns in Unicode scalars.
package struct SourceRange: Hashable, Sendable {
    package var file: String
    package var line: Int
    package var column: Int
    /// The last line that belongs to it, the end marker of a heredoc included.
    package var endLine: Int

    package init(file: String, line: Int, column: Int, endLine: Int) {
        self.file = file
        self.line = line
        self.column = column
        self.endLine = endLine
    }
}

/// A Dockerfile's name and its lines as they stand in the file, for messages that show them.
package struct DockerfileSource: Hashable, Sendable {
    package let name: String
    package let lines: [String]

    init(name: String, text: String) {
        self.name = name
        lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            String(line.last == "\r" ? line.dropLast() : line)
        }
    }

    /// The lines around `range` in BuildKit's form, headed by the exact place, the lines of the range itself marked:
    ///
    ///     Dockerfile:3:1
    ///     --------------------
    ///        1 |     FROM x
    ///        2 |
    ///        3 | >>> BOGUS y
    ///     --------------------
    ///
    /// Empty where the range does not lie in the file. Ends with a newline.
    package func excerpt(_ range: SourceRange, line: Int? = nil, column: Int? = nil) -> String {
        guard range.line >= 1, range.line <= lines.count else { return "" }
        let end = min(max(range.endLine, range.line), lines.count)
        let shown = surroundings(of: range.line...end)
        var text = "\(name):\(line ?? range.line):\(column ?? range.column)\n--------------------\n"
        for number in shown {
            let label = String(number)
            let padding = String(repeating: " ", count: max(0, 3 - label.count))
            let mark = (range.line...end).contains(number) ? ">>>" : "   "
            text += " \(padding)\(label) | \(mark) \(lines[number - 1])\n"
        }
        return text + "--------------------\n"
    }

    /// Up to four lines more around one line, up to two around several, as BuildKit chooses them: before and after by
    /// turns, until there are enough or the file has no more.
    private func surroundings(of marked: ClosedRange<Int>) -> ClosedRange<Int> {
        let wanted = marked.count == 1 ? 4 : 2
        var (start, end, found) = (marked.lowerBound, marked.upperBound, 0)
        while found < wanted {
            if start > 1 {
                start -= 1
                found += 1
            }
            if end < lines.count {
                end += 1
                found += 1
            }
            found += 1
        }
        return start...end
    }
}
