import LinuxSystem

/// A wildcard pattern for paths, as Go's filepath.Match has it: the sources of COPY and ADD.
///
/// `*` is any text without `/`, `?` any letter but `/`, `[a-c]` and `[^a-c]` one letter of a class (which may be `/`),
/// and `\` takes the next letter as it is. The whole path has to match. Names need not be UTF-8: a byte that is none
/// counts as one letter, equal only to itself.
package struct PathPattern: Equatable, Sendable {
    let elements: [GlobElement]

    /// - Throws: `syntax error in pattern` for a class without end, a range without end, or a `\` that ends the
    /// pattern.
    package init(_ pattern: [UInt8]) throws(PathPatternError) {
        elements = try GlobElement.parse(GlobElement.letters(of: pattern)[...], doubleStars: false)
    }

    package init(_ pattern: String) throws(PathPatternError) { try self.init(pattern.rawBytes) }

    package func matches(_ path: [UInt8]) -> Bool { GlobElement.match(elements, GlobElement.letters(of: path)[...]) }

    package func matches(_ path: String) -> Bool { matches(path.rawBytes) }

    /// Whether a path is more than its own name: holds `*`, `?` or `[` that no `\` takes away.
    package static func hasWildcards(_ path: String) -> Bool {
        var isEscaped = false
        for byte in path.utf8 {
            if isEscaped {
                isEscaped = false
            } else if byte == UInt8(ascii: "\\") {
                isEscaped = true
            } else if "*?[".utf8.contains(byte) {
                return true
            }
        }
        return false
    }
}

/// A pattern that is not well formed.
package struct PathPatternError: Error, CustomStringConvertible, Sendable {
    package var description: String { "syntax error in pattern" }
}

/// A letter of a path: a Unicode scalar, or beyond them (0x110000 and up) a byte that is not UTF-8.
typealias PathLetter = UInt32

/// A part of a pattern.
enum GlobElement: Equatable, Sendable {
    case letter(PathLetter)
    /// `?`
    case anyLetter
    /// `*`
    case anyName
    /// `[…]`
    case oneOf([ClosedRange<PathLetter>], negated: Bool)
    /// `**/`: nothing, or anything that ends in `/`.
    case anyFolders
    /// `**` at the end.
    case anything

    static let slash = PathLetter(UInt8(ascii: "/"))

    static func letters(of bytes: [UInt8]) -> [PathLetter] {
        var letters: [PathLetter] = []
        letters.reserveCapacity(bytes.count)
        var at = 0
        while at < bytes.count {
            if bytes[at] < 0x80 {
                letters.append(PathLetter(bytes[at]))
                at += 1
                continue
            }
            let length = min(scalarLength(bytes[at]), bytes.count - at)
            let text = String(validating: bytes[at..<(at + length)], as: UTF8.self)
            if let scalar = text?.unicodeScalars.first {
                letters.append(scalar.value)
                at += length
            } else {
                letters.append(0x110000 + PathLetter(bytes[at]))
                at += 1
            }
        }
        return letters
    }

    private static func scalarLength(_ lead: UInt8) -> Int {
        lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1
    }

    /// Whether the elements make up the whole of `text`. Takes at most (elements × letters) steps.
    static func match(_ elements: [GlobElement], _ text: ArraySlice<PathLetter>) -> Bool {
        // places[i]: the elements so far match the first i letters.
        let text = Array(text)
        var places = [Bool](repeating: false, count: text.count + 1)
        places[0] = true
        for element in elements {
            places = element.advance(places, in: text)
            if !places.contains(true) { return false }
        }
        return places[text.count]
    }

    private func advance(_ places: [Bool], in text: [PathLetter]) -> [Bool] {
        var next = [Bool](repeating: false, count: places.count)
        var isOpen = false
        for place in places.indices {
            switch self {
            case .anyName, .anything:
                isOpen = isOpen || places[place]
                next[place] = isOpen
                if place < text.count, self == .anyName, text[place] == GlobElement.slash { isOpen = false }
            case .anyFolders:
                next[place] = places[place] || isOpen && text[place - 1] == GlobElement.slash
                isOpen = isOpen || places[place]
            case .letter, .anyLetter, .oneOf:
                if place < text.count, places[place], takes(text[place]) { next[place + 1] = true }
            }
        }
        return next
    }

    private func takes(_ letter: PathLetter) -> Bool {
        switch self {
        case .letter(let own): letter == own
        case .oneOf(let ranges, let negated): ranges.contains { $0.contains(letter) } != negated
        default: letter != GlobElement.slash
        }
    }
}

// MARK: - Reading patterns

extension GlobElement {
    private static let star = PathLetter(UInt8(ascii: "*"))
    private static let backslash = PathLetter(UInt8(ascii: "\\"))
    private static let open = PathLetter(UInt8(ascii: "["))
    private static let close = PathLetter(UInt8(ascii: "]"))
    private static let minus = PathLetter(UInt8(ascii: "-"))

    /// - Parameter doubleStars: whether `**` means folders, as in ignore files.
    static func parse(
        _ pattern: ArraySlice<PathLetter>,
        doubleStars: Bool
    ) throws(PathPatternError) -> [GlobElement] {
        var elements: [GlobElement] = []
        var rest = pattern
        while let letter = rest.popFirst() {
            switch letter {
            case star where doubleStars && rest.first == star:
                rest.removeFirst()
                let isFirst = elements.isEmpty
                let hasSlash = rest.first == slash
                if hasSlash { rest.removeFirst() }
                // `**name` with no other wildcard takes any name that ends so, not only whole ones.
                let isSuffix = isFirst && !hasSlash && !rest.contains(where: isSpecial)
                elements.append(rest.isEmpty || isSuffix ? .anything : .anyFolders)
            case star: elements.append(.anyName)
            case PathLetter(UInt8(ascii: "?")): elements.append(.anyLetter)
            case open: elements.append(try parseClass(&rest))
            case backslash:
                guard let escaped = rest.popFirst() else { throw PathPatternError() }
                elements.append(.letter(escaped))
            default: elements.append(.letter(letter))
            }
        }
        return elements
    }

    private static func isSpecial(_ letter: PathLetter) -> Bool {
        letter < 0x80 && "*?[]\\".utf8.contains(UInt8(letter))
    }

    /// After the `[`.
    private static func parseClass(_ rest: inout ArraySlice<PathLetter>) throws(PathPatternError) -> GlobElement {
        let negated = rest.first == PathLetter(UInt8(ascii: "^"))
        if negated { rest.removeFirst() }
        var ranges: [ClosedRange<PathLetter>] = []
        while ranges.isEmpty || rest.first != close {
            let low = try classLetter(&rest)
            var high = low
            if rest.first == minus {
                rest.removeFirst()
                high = try classLetter(&rest)
            }
            // Go takes a range that runs backwards for one that matches nothing, and ignore files fail on it.
            guard low <= high else { throw PathPatternError() }
            ranges.append(low...high)
        }
        rest.removeFirst()
        return .oneOf(ranges, negated: negated)
    }

    private static func classLetter(_ rest: inout ArraySlice<PathLetter>) throws(PathPatternError) -> PathLetter {
        guard let letter = rest.popFirst(), letter != minus, letter != close else { throw PathPatternError() }
        let taken = letter == backslash ? rest.popFirst() : letter
        // A class that ends here has no `]`.
        guard let taken, !rest.isEmpty else { throw PathPatternError() }
        return taken
    }
}
