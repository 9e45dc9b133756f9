/// A piece of an instruction and where it starts in the instruction's text.
struct Word: Equatable {
    var text: String
    var offset: Int
}

/// Splits instructions into words.
///
/// Every instruction has its own rule; these are the three of them (moby/buildkit, frontend/dockerfile/parser).
enum Words {
    /// Splits at blanks, and knows no quotes: FROM, COPY, ADD, EXPOSE, VOLUME.
    static func blankSeparated(_ text: ArraySlice<Unicode.Scalar>) -> [Word] {
        text.split(whereSeparator: \.isBlank).map { Word(text: $0.string, offset: $0.startIndex) }
    }

    /// Splits at space outside of quotes, and leaves quotes and escapes in place: ENV, LABEL, ARG.
    static func quoted(_ text: ArraySlice<Unicode.Scalar>, escape: Unicode.Scalar) -> [Word] {
        var words: [Word] = []
        var at = text.startIndex
        while at < text.endIndex {
            if text[at].isSpace {
                at += 1
                continue
            }
            let start = at
            var word = String.UnicodeScalarView()
            var quote: Unicode.Scalar?
            while at < text.endIndex, quote != nil || !text[at].isSpace {
                let scalar = text[at]
                if scalar == escape, quote != "'" {
                    // An escape at the very end has nothing to escape and is dropped.
                    guard at + 1 < text.endIndex else { break }
                    word.append(scalar)
                    at += 1
                } else if scalar == quote {
                    quote = nil
                } else if quote == nil, scalar == "\"" || scalar == "'" {
                    quote = scalar
                }
                word.append(text[at])
                at += 1
            }
            if !word.isEmpty { words.append(Word(text: String(word), offset: start)) }
            if at < text.endIndex, text[at] == escape { break }
        }
        return words
    }

    /// Takes the words that start with `--` off the front, their quotes and escapes resolved; a bare `--` ends them.
    static func flags(
        _ text: ArraySlice<Unicode.Scalar>,
        escape: Unicode.Scalar
    ) -> (flags: [Word], rest: ArraySlice<Unicode.Scalar>) {
        var flags: [Word] = []
        var at = text.startIndex
        while true {
            while at < text.endIndex, text[at].isSpace { at += 1 }
            guard text[at...].starts(with: "--".unicodeScalars) else { return (flags, text[at...]) }
            let start = at
            let flag = unquotedWord(text, &at, escape: escape)
            if flag == "--" { return (flags, text[at...]) }
            flags.append(Word(text: flag, offset: start))
        }
    }

    private static func unquotedWord(
        _ text: ArraySlice<Unicode.Scalar>,
        _ at: inout Int,
        escape: Unicode.Scalar
    ) -> String {
        var word = String.UnicodeScalarView()
        var quote: Unicode.Scalar?
        while at < text.endIndex, quote != nil || !text[at].isSpace {
            let scalar = text[at]
            at += 1
            if scalar == quote {
                quote = nil
            } else if quote == nil, scalar == "\"" || scalar == "'" {
                quote = scalar
            } else if scalar == escape {
                guard at < text.endIndex else { break }
                word.append(text[at])
                at += 1
            } else {
                word.append(scalar)
            }
        }
        return String(word)
    }
}
