/// A pattern of `${v#p}` and its kin: `*` is any text, `?` any letter, `\` makes a `*`, a `?` or a `\` a letter.
///
/// There are no bracket expressions, and nothing but a newline itself matches a newline
/// (moby/buildkit, frontend/dockerfile/shell).
struct ShellPattern {
    private enum Element {
        case letter(Unicode.Scalar)
        case anyLetter
        case anyText
    }

    private let elements: [Element]

    init(_ text: ArraySlice<Unicode.Scalar>) throws(MessageError) {
        var elements: [Element] = []
        var at = text.startIndex
        while at < text.endIndex {
            let scalar = text[at]
            at += 1
            switch scalar {
            case "*": elements.append(.anyText)
            case "?": elements.append(.anyLetter)
            case "\\":
                guard at < text.endIndex else { throw MessageError("invalid escape '\\'") }
                let escaped = text[at]
                // } and / had to be escaped because they end the pattern; to the pattern itself they mean nothing.
                guard "*?\\}/".unicodeScalars.contains(escaped) else {
                    throw MessageError("invalid escape '\\\(escaped)'")
                }
                elements.append(.letter(escaped))
                at += 1
            default: elements.append(.letter(scalar))
            }
        }
        self.elements = elements
    }

    private init(elements: [Element]) { self.elements = elements }

    func trimmingPrefix(of value: String, longest: Bool) -> String {
        let text = value.scalars
        guard let end = matchEnd(in: text, from: 0, longest: longest) else { return value }
        return text[end...].string
    }

    func trimmingSuffix(of value: String, longest: Bool) -> String {
        let backwards = ShellPattern(elements: elements.reversed())
        let text = Array(value.scalars.reversed())
        guard let end = backwards.matchEnd(in: text, from: 0, longest: longest) else { return value }
        return Array(text[end...].reversed())[...].string
    }

    /// Replaces the first match, or every match that follows another without overlap; matches are as long as possible.
    func replacing(in value: String, with replacement: String, everywhere: Bool) -> String {
        let text = value.scalars
        var result = ""
        var copied = 0
        var lastEnd = -1
        var at = 0
        while at <= text.count {
            guard let end = matchEnd(in: text, from: at, longest: true) else {
                at += 1
                continue
            }
            // An empty match right behind another match does not count.
            if end > at || at != lastEnd {
                result += text[copied..<at].string + replacement
                (copied, lastEnd) = (end, end)
                if !everywhere { break }
            }
            at = max(end, at + 1)
        }
        return result + text[copied...].string
    }

    /// Where the pattern's match that starts at `start` ends; nil where there is none. Takes at most (pattern × text)
    /// steps.
    private func matchEnd(in text: [Unicode.Scalar], from start: Int, longest: Bool) -> Int? {
        // The set of positions that the elements so far can reach, which bounds the work whatever the pattern is.
        var reachable: Set<Int> = [start]
        for element in elements {
            var following: Set<Int> = []
            switch element {
            case .letter(let letter):
                for place in reachable where place < text.count && text[place] == letter { following.insert(place + 1) }
            case .anyLetter:
                for place in reachable where place < text.count && text[place] != "\n" { following.insert(place + 1) }
            case .anyText:
                for place in reachable.sorted() where !following.contains(place) {
                    var end = place
                    following.insert(end)
                    while end < text.count, text[end] != "\n", following.insert(end + 1).inserted { end += 1 }
                }
            }
            if following.isEmpty { return nil }
            reachable = following
        }
        return longest ? reachable.max() : reachable.min()
    }
}
