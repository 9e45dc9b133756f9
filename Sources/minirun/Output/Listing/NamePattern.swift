/// The part of regular expressions that `--filter name=` is used with: `.`, `[a-z]`, `*`, `+`, `?`, `|`, `^`, `$` and `\`.
struct NamePattern: Sendable {
    private enum Place: Sendable {
        case start
        case end
        case anyLetter
        case letter(Character)
        case oneOf([ClosedRange<Character>], negated: Bool)

        func takes(_ letter: Character) -> Bool {
            switch self {
            case .start, .end: false
            case .anyLetter: true
            case .letter(let own): letter == own
            case .oneOf(let ranges, let negated): ranges.contains { $0.contains(letter) } != negated
            }
        }
    }

    private struct Element: Sendable {
        let place: Place
        var least = 1
        var most = 1
    }

    /// One of them has to be found.
    private var alternatives: [[Element]] = [[]]

    init(_ text: String) throws(ValueError) {
        var rest = text[...]
        while let letter = rest.popFirst() {
            let last = alternatives.count - 1
            switch letter {
            case "|": alternatives.append([])
            case "*", "+", "?":
                guard var element = alternatives[last].popLast() else {
                    throw ValueError("error parsing regexp: missing argument to repetition operator: `\(letter)`")
                }
                element.least = letter == "+" ? 1 : 0
                element.most = letter == "?" ? 1 : .max
                alternatives[last].append(element)
            case "(", ")", "{": throw ValueError("a filter's pattern cannot have groups or counts: \(text)")
            default: alternatives[last].append(Element(place: try NamePattern.place(letter, &rest)))
            }
        }
    }

    private static func place(_ letter: Character, _ rest: inout Substring) throws(ValueError) -> Place {
        switch letter {
        case "^": return .start
        case "$": return .end
        case ".": return .anyLetter
        case "[": return try set(&rest)
        case "\\":
            guard let escaped = rest.popFirst() else {
                throw ValueError("error parsing regexp: trailing backslash at end of expression: ``")
            }
            return .letter(escaped)
        default: return .letter(letter)
        }
    }

    private static func set(_ rest: inout Substring) throws(ValueError) -> Place {
        let missing = ValueError("error parsing regexp: missing closing ]: `[\(rest)`")
        let negated = rest.first == "^"
        if negated { rest.removeFirst() }
        var ranges: [ClosedRange<Character>] = []
        while let first = rest.popFirst() {
            if first == "]", !ranges.isEmpty { return .oneOf(ranges, negated: negated) }
            guard rest.first == "-", rest.dropFirst().first != "]" else {
                ranges.append(first...first)
                continue
            }
            rest.removeFirst()
            guard let last = rest.popFirst(), first <= last else { throw missing }
            ranges.append(first...last)
        }
        throw missing
    }

    /// Whether the pattern is somewhere in the text.
    func isFound(in text: String) -> Bool {
        let letters = Array(text)
        return alternatives.contains { elements in
            (0...letters.count).contains { NamePattern.matches(elements[...], letters, from: $0) }
        }
    }

    private static func matches(_ elements: ArraySlice<Element>, _ letters: [Character], from start: Int) -> Bool {
        guard let element = elements.first else { return true }
        let rest = elements.dropFirst()
        switch element.place {
        case .start: return start == 0 && matches(rest, letters, from: start)
        case .end: return start == letters.count && matches(rest, letters, from: start)
        default: break
        }
        var taken = 0
        while true {
            if taken >= element.least, matches(rest, letters, from: start + taken) { return true }
            guard taken < element.most, start + taken < letters.count, element.place.takes(letters[start + taken])
            else {
                return false
            }
            taken += 1
        }
    }
}
