import LinuxSystem
import OCI

/// Which files of a build context are left out: the patterns of a `.dockerignore`, or of `COPY --exclude`.
///
/// The last pattern that matches a path or a folder above it decides; `!` brings back. Paths are relative to the
/// context, their components separated by `/`, and need not be UTF-8.
///
/// Source: docker build reference, ".dockerignore files"; github.com/moby/patternmatcher.
package struct DockerIgnore: Sendable {
    private struct Pattern: Sendable {
        let elements: [GlobElement]
        /// The same, cut at `/`; nil from a `**` on, which reaches into every folder.
        let components: [[GlobElement]?]
        let isException: Bool
    }

    private let patterns: [Pattern]
    /// More are refused: a folder remembers what each has said of it.
    private static let mostPatterns = 10_000

    /// Whether a pattern starts with `!`: a folder that is left out may then hold files that are not.
    package var hasExceptions: Bool { patterns.contains(where: \.isException) }

    package var isEmpty: Bool { patterns.isEmpty }

    /// Reads an ignore file. Only a `#` in the first column starts a comment; a leading `/` means nothing.
    ///
    /// - Throws: where a pattern is not well formed, with its line.
    package init(_ content: [UInt8], name: String = ".dockerignore") throws(EngineError) {
        var content = content[...]
        if content.starts(with: [0xEF, 0xBB, 0xBF]) { content = content.dropFirst(3) }
        var patterns: [Pattern] = []
        let lines = content.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() where line.first != UInt8(ascii: "#") {
            do throws(MessageError) {
                if let pattern = try DockerIgnore.pattern(line) { patterns.append(pattern) }
            } catch {
                throw EngineError(.invalid, "\(name):\(index + 1): \(error.message)")
            }
        }
        if patterns.count > DockerIgnore.mostPatterns {
            throw EngineError(.invalid, "\(name): more than \(DockerIgnore.mostPatterns) patterns")
        }
        self.patterns = patterns
    }

    /// Takes patterns one by one, without comments.
    ///
    /// - Throws: where one is not well formed.
    package init(patterns texts: [String]) throws(EngineError) {
        var patterns: [Pattern] = []
        for text in texts {
            do throws(MessageError) {
                if let pattern = try DockerIgnore.pattern(text.rawBytes[...]) { patterns.append(pattern) }
            } catch {
                throw EngineError(.invalid, error.message)
            }
        }
        self.patterns = patterns
    }

    private static func pattern(_ line: ArraySlice<UInt8>) throws(MessageError) -> Pattern? {
        var text = trimmed(line)
        guard !text.isEmpty else { return nil }
        let isException = text.first == UInt8(ascii: "!")
        if isException { text = trimmed(text.dropFirst()) }
        if text.isEmpty { throw MessageError("illegal exclusion pattern: \"!\"") }
        var clean = PathText.clean(Array(text))
        if clean.count > 1, clean.first == UInt8(ascii: "/") { clean.removeFirst() }
        do throws(PathPatternError) {
            let letters = GlobElement.letters(of: clean)
            // `**` has its own meaning here, but the rest must be what filepath.Match takes too.
            let elements = try GlobElement.parse(letters[...], doubleStars: true)
            return Pattern(elements: elements, components: components(of: elements), isException: isException)
        } catch {
            throw MessageError("\(error): \(String(rawBytes: clean))")
        }
    }

    private static func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
        var bytes = bytes.drop(while: isSpace)
        while let last = bytes.last, isSpace(last) { bytes.removeLast() }
        return bytes
    }

    private static func components(of elements: [GlobElement]) -> [[GlobElement]?] {
        var components: [[GlobElement]?] = [[]]
        for element in elements {
            switch element {
            case .anyFolders, .anything: return components.dropLast() + [nil]
            case .letter(GlobElement.slash): components.append([])
            default: components[components.count - 1]?.append(element)
            }
        }
        return components
    }
}

// MARK: - Matching

extension DockerIgnore {
    /// What the patterns say of a folder, for the paths in it.
    package struct Folder: Sendable {
        fileprivate var matched: [Bool]
    }

    /// Whether a path is left out, whatever is known of the folders above it.
    package func excludes(_ path: [UInt8]) -> Bool { excludes(path, in: nil).isExcluded }

    package func excludes(_ path: String) -> Bool { excludes(path.rawBytes) }

    /// Whether a path is left out, and what that means for the paths below it, for a walk from the top: the answer for
    /// a folder is handed on to what is in it. The same answers as without, for less work.
    ///
    /// - Parameter folder: the answer for the folder that holds the path; nil at the top of the context.
    package func excludes(_ path: [UInt8], in folder: Folder?) -> (isExcluded: Bool, folder: Folder) {
        let letters = GlobElement.letters(of: path)
        var answer = Folder(matched: [Bool](repeating: false, count: patterns.count))
        var isExcluded = false
        for (index, pattern) in patterns.enumerated() {
            var matches = folder?.matched[index] ?? false
            if !matches {
                // A pattern that could only say again what is so already is not asked.
                guard pattern.isException == isExcluded else { continue }
                matches = GlobElement.match(pattern.elements, letters[...])
                if !matches, folder == nil { matches = DockerIgnore.matchesFolder(above: letters, pattern) }
            }
            answer.matched[index] = matches
            if matches { isExcluded = !pattern.isException }
        }
        return (isExcluded, answer)
    }

    private static func matchesFolder(above path: [PathLetter], _ pattern: Pattern) -> Bool {
        path.indices.contains { path[$0] == GlobElement.slash && GlobElement.match(pattern.elements, path[..<$0]) }
    }

    /// Whether something in a folder that is left out may still be wanted: an exception's path runs through it or into
    /// it.
    package func mayHoldExceptions(_ folder: [UInt8]) -> Bool {
        let components = GlobElement.letters(of: folder).split(separator: GlobElement.slash)
        return patterns.contains { pattern in
            guard pattern.isException else { return false }
            for (own, component) in zip(pattern.components, components) {
                guard let own else { return true }
                // A class may match a `/`; then components say nothing.
                if own.contains(where: { if case .oneOf = $0 { true } else { false } }) { return true }
                if !GlobElement.match(own, component) { return false }
            }
            return true
        }
    }
}
