/// A terminal for tests: what is written becomes rows of characters, as on a VT100. Knows line feeds (as CR LF),
/// carriage returns, moving up, erasing to the end of the line and of the screen, colours (dropped) and hiding the
/// cursor; anything else is a failure that `unknown` names.
struct Screen {
    private(set) var rows: [[Character]] = [[]]
    private(set) var unknown: [String] = []
    private(set) var cursorIsHidden = false
    private var row = 0
    private var column = 0
    private let columns: Int

    init(columns: Int) { self.columns = columns }

    /// The rows without blanks at their ends.
    var lines: [String] {
        var lines = rows.map { row in String(row.reversed().drop { $0 == " " }.reversed()) }
        while lines.last == "" { lines.removeLast() }
        return lines
    }

    mutating func write(_ text: String) {
        var rest = text.unicodeScalars[...]
        while let scalar = rest.popFirst() {
            switch scalar {
            case "\n": (row, column) = (row + 1, 0)
            case "\r": column = 0
            case "\u{1B}": escape(&rest)
            default: put(Character(scalar))
            }
            while rows.count <= row { rows.append([]) }
        }
    }

    private mutating func put(_ character: Character) {
        if column == columns { (row, column) = (row + 1, 0) }
        while rows.count <= row { rows.append([]) }
        while rows[row].count <= column { rows[row].append(" ") }
        rows[row][column] = character
        column += 1
    }

    private mutating func escape(_ rest: inout Substring.UnicodeScalarView) {
        var sequence = ""
        while let scalar = rest.popFirst() {
            sequence.unicodeScalars.append(scalar)
            if sequence.count > 1, (0x40...0x7E).contains(scalar.value) { break }
        }
        switch sequence.last {
        case "A": row = max(0, row - (Int(sequence.dropFirst().dropLast()) ?? 1))
        case "K": rows[row] = Array(rows[row].prefix(column))
        case "J":
            rows[row] = Array(rows[row].prefix(column))
            rows.removeSubrange((row + 1)...)
        case "m": break
        case "l" where sequence == "[?25l": cursorIsHidden = true
        case "h" where sequence == "[?25h": cursorIsHidden = false
        default: unknown.append(sequence)
        }
    }
}
