import LinuxSystem

extension TOML {
    /// Reads a document (TOML v1.0.0).
    ///
    /// Nesting is bounded (64 levels, and as many parts of a dotted key): a file must not end the process by filling its
    /// stack.
    package static func parse(_ bytes: [UInt8]) throws(TOMLError) -> Table {
        guard String(validating: bytes, as: UTF8.self) != nil else {
            throw TOMLError(line: 1, reason: "the text is not UTF-8")
        }
        var parser = TOMLParser(bytes: bytes)
        return try parser.document()
    }

    package static func parse(_ text: String) throws(TOMLError) -> Table { try parse(Array(text.utf8)) }
}

struct TOMLParser {
    static let deepest = 64

    let bytes: [UInt8]
    var at = 0
    var line = 1
    private let root = TOMLNode(.defined)

    init(bytes: [UInt8]) {
        self.bytes = bytes
        // A byte order mark.
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { at = 3 }
    }

    func error(_ reason: String) -> TOMLError { TOMLError(line: line, reason: reason) }

    mutating func document() throws(TOMLError) -> TOML.Table {
        var current = root
        while true {
            try skipBlankLines()
            guard let byte = peek else { return root.frozen }
            if byte == UInt8(ascii: "[") {
                current = try header()
            } else {
                try keyValue(into: current)
            }
            try endOfLine()
        }
    }

    /// `[a.b]` or `[[a.b]]`.
    private mutating func header() throws(TOMLError) -> TOMLNode {
        let line = self.line
        at += 1
        let isArray = take("[")
        skipBlanks()
        let keys = try key()
        guard take("]"), !isArray || take("]") else { throw error("a table's name does not end with \"]\"") }
        var node = root
        for key in keys.dropLast() { node = try node.below(key, self, line) }
        guard let last = keys.last else { throw error("a key is missing") }
        return isArray ? try node.appendTable(last, self, line) : try node.defineTable(last, self, line)
    }

    /// `key = value`, into a table.
    private mutating func keyValue(into table: TOMLNode, depth: Int = 0) throws(TOMLError) {
        let line = self.line
        let keys = try key()
        guard take("=") else { throw error("a key is followed by something else than \"=\"") }
        skipBlanks()
        var node = table
        for key in keys.dropLast() { node = try node.dotted(key, self, line) }
        let value = try self.value(depth + keys.count)
        guard let last = keys.last else { throw error("a key is missing") }
        try node.set(last, value, self, line)
    }

    /// The parts of a key with its blanks: bare, quoted, dotted.
    private mutating func key() throws(TOMLError) -> [String] {
        var parts: [String] = []
        repeat {
            skipBlanks()
            switch peek {
            case UInt8(ascii: "\""): parts.append(try basicString())
            case UInt8(ascii: "'"): parts.append(try literalString())
            default:
                let start = at
                while let byte = peek, TOMLParser.isBareKeyByte(byte) { at += 1 }
                guard at > start else { throw error("a key is missing") }
                parts.append(text(start..<at))
            }
            if parts.count > TOMLParser.deepest { throw error("a key has too many parts") }
            skipBlanks()
        } while take(".")
        return parts
    }

    private mutating func value(_ depth: Int) throws(TOMLError) -> TOML {
        if depth > TOMLParser.deepest { throw error("nested too deeply") }
        switch peek {
        case UInt8(ascii: "\""): return .string(startsWith("\"\"\"") ? try longBasicString() : try basicString())
        case UInt8(ascii: "'"): return .string(startsWith("'''") ? try longLiteralString() : try literalString())
        case UInt8(ascii: "["): return try array(depth)
        case UInt8(ascii: "{"): return .table(try inlineTable(depth))
        case nil: throw error("a value is missing")
        default: return try scalar()
        }
    }

    private mutating func array(_ depth: Int) throws(TOMLError) -> TOML {
        at += 1
        var elements: [TOML] = []
        while true {
            try skipBlankLines()
            if take("]") { return .array(elements) }
            elements.append(try value(depth + 1))
            try skipBlankLines()
            if take(",") { continue }
            guard take("]") else { throw error("an array does not end with \"]\"") }
            return .array(elements)
        }
    }

    /// `{ a = 1, b.c = 2 }`, on one line.
    private mutating func inlineTable(_ depth: Int) throws(TOMLError) -> TOML.Table {
        at += 1
        let table = TOMLNode(.defined)
        skipBlanks()
        if take("}") { return table.frozen }
        while true {
            skipBlanks()
            try keyValue(into: table, depth: depth)
            skipBlanks()
            if take(",") { continue }
            guard take("}") else { throw error("an inline table does not end with \"}\"") }
            return table.frozen
        }
    }
}

// MARK: - the text

extension TOMLParser {
    var peek: UInt8? { at < bytes.count ? bytes[at] : nil }

    func text(_ range: Range<Int>) -> String { String(rawBytes: bytes[range]) }

    mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard let byte = peek, UInt32(byte) == character.value else { return false }
        at += 1
        return true
    }

    func startsWith(_ text: StaticString) -> Bool {
        let count = text.utf8CodeUnitCount
        return at + count <= bytes.count && (0..<count).allSatisfy { bytes[at + $0] == text.utf8Start[$0] }
    }

    mutating func skipBlanks() {
        while let byte = peek, byte == 0x20 || byte == 0x09 { at += 1 }
    }

    /// Blanks, comments and line ends.
    mutating func skipBlankLines() throws(TOMLError) {
        while true {
            skipBlanks()
            if peek == UInt8(ascii: "#") { try skipComment() }
            guard takeLineEnd() else { return }
        }
    }

    /// What follows a header or a value on its line.
    private mutating func endOfLine() throws(TOMLError) {
        skipBlanks()
        if peek == UInt8(ascii: "#") { try skipComment() }
        guard peek == nil || takeLineEnd() else { throw error("something stands behind the end of the line's value") }
    }

    private mutating func skipComment() throws(TOMLError) {
        while let byte = peek, byte != 0x0A, !startsWith("\r\n") {
            guard TOMLParser.isText(byte) else { throw error("a comment holds a control character") }
            at += 1
        }
    }

    /// A line feed, or one after a carriage return.
    mutating func takeLineEnd() -> Bool {
        if startsWith("\r\n") { at += 1 }
        guard peek == 0x0A else { return false }
        at += 1
        line += 1
        return true
    }

    /// No control character but the tab.
    static func isText(_ byte: UInt8) -> Bool { byte >= 0x20 && byte != 0x7F || byte == 0x09 }

    static func isBareKeyByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "_"), UInt8(ascii: "-"): true
        default: false
        }
    }
}
