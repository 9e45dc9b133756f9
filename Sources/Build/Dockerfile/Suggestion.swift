/// "(did you mean …?)" for a word that nobody knows.
enum Suggestion {
    private static let longest = 64

    /// The option nearest to `word`, if fewer than three letters differ; nil where one is the same.
    static func nearest(to word: String, among options: some Sequence<String>, ignoringCase: Bool = false) -> String? {
        // Nobody means a name of that length by another one, and comparing takes its square.
        if word.utf8.count > longest { return nil }
        let wanted = ignoringCase ? word.lowercased() : word
        var best: (distance: Int, option: String)?
        for option in options {
            let candidate = ignoringCase ? option.lowercased() : option
            if candidate == wanted { return nil }
            if abs(wanted.utf8.count - candidate.utf8.count) > 8 { continue }
            let distance = distance(wanted.scalars, candidate.scalars)
            if distance < best?.distance ?? 3 { best = (distance, option) }
        }
        guard let best else { return nil }
        guard ignoringCase else { return best.option }
        if word == word.lowercased() { return best.option.lowercased() }
        return word == word.uppercased() ? best.option.uppercased() : best.option
    }

    /// " (did you mean RUN?)", or nothing.
    static func text(for word: String, among options: some Sequence<String>, ignoringCase: Bool = false) -> String {
        nearest(to: word, among: options, ignoringCase: ignoringCase).map { " (did you mean \($0)?)" } ?? ""
    }

    /// Levenshtein's distance.
    private static func distance(_ a: [Unicode.Scalar], _ b: [Unicode.Scalar]) -> Int {
        var row = Array(0...b.count)
        for (i, x) in a.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, y) in b.enumerated() {
                let substituted = diagonal + (x == y ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(substituted, diagonal + 1, row[j] + 1)
            }
        }
        return row[b.count]
    }
}
