import OCI
import Testing

@testable import Build

/// Facts: github.com/moby/patternmatcher and docker build's reference, ".dockerignore files".
@Suite("Ignore files") struct DockerIgnoreTests {
    static let single: [(String, String, Bool)] = [
        // names and folders
        ("a", "a", true), ("a", "b", false), ("a", "a/b", true), ("a", "a/b/c", true), ("a", "ab", false),
        ("a", "b/a", false),
        ("a/b", "a/b", true), ("a/b", "a", false), ("a/b", "a/b/c", true), ("a/", "a", true), ("a/", "a/b", true),
        ("/a", "a", true), ("//a", "a", true), ("./a", "a", true), ("a/../b", "b", true), ("a//b", "a/b", true),
        ("  a  ", "a", true), ("a b", "a b", true), (".", "a", false), ("A", "a", false),
        // * and ?
        ("*", "a", true), ("*", "a/b", true), ("*.go", "x.go", true), ("*.go", "d/x.go", false), ("*/x", "d/x", true),
        ("*/x", "d/e/x", false), ("*/*/x", "d/e/x", true), ("a*", "abc", true), ("a*", "a/b", true),
        ("*c", "abc", true),
        ("?", "a", true), ("?", "ab", false), ("a?c", "a/c", false), ("a?c", "aäc", true), ("a*b", "a/b", false),
        (".*", ".git", true), (".*", "git", false), ("a.b", "axb", false),
        // **
        ("**", "a", true), ("**", "a/b", true), ("**/a", "a", true), ("**/a", "x/a", true), ("**/a", "x/y/a", true),
        ("**/a", "xa", false), ("**a", "xa", true), ("**a", "y/xa", true), ("**a*", "xab", false),
        ("**a*", "y/ab", true),
        ("a/**", "a", false), ("a/**", "a/b", true), ("a/**", "a/b/c", true), ("a/**", "b/a/c", false),
        ("a**", "ab/c", true),
        ("a/**/z", "a/z", true), ("a/**/z", "a/b/z", true), ("a/**/z", "a/b/c/z", true), ("a/**/z", "a/bz", false),
        ("**/*.txt", "a.txt", true), ("**/*.txt", "d/e/a.txt", true), ("**/*.txt", "d/a.txts", false),
        ("**/d/*", "x/d/f", true), ("**/d/**", "x/d", false), ("**/d/**", "x/d/e/f", true), ("**/**", "a/b", true),
        ("a/*.txt**", "a/f.txt", true),
        // classes and escapes
        ("[ab]x", "ax", true), ("[ab]x", "cx", false), ("[a-c]x", "bx", true), ("[^a-c]x", "bx", false),
        ("[^a-c]x", "dx", true),
        ("[\\]]", "]", true), ("\\*", "*", true), ("\\*", "a", false), ("a\\?b", "a?b", true), ("a\\\\", "a\\", true),
        ("a(b)+{c}|$", "a(b)+{c}|$", true), ("a.|)$", "ab|)$", false),
    ]

    @Test(arguments: single) func matches(_ pattern: String, _ path: String, _ expected: Bool) throws {
        let ignore = try DockerIgnore(Array(pattern.utf8))
        #expect(ignore.excludes(path) == expected)
        #expect(walk(ignore, path) == expected, "walking from the top")
    }

    static let several: [([String], String, Bool)] = [
        (["*.md", "!README.md"], "README.md", false), (["*.md", "!README.md"], "NEWS.md", true),
        (["!README.md", "*.md"], "README.md", true), (["docs", "!docs/keep"], "docs/keep", false),
        (["docs", "!docs/keep"], "docs/keep/x", false), (["docs", "!docs/keep"], "docs/other", true),
        (["docs", "!docs/keep", "docs/keep/not"], "docs/keep/not", true), (["**", "!src/**"], "src/a/b", false),
        (["**", "!src/**"], "lib/a", true), (["*", "!a"], "a/b", false), (["a", "!a", "a"], "a", true),
        (["! a", "a"], "a", true), (["a", "! /a"], "a", false), (["a", "!b"], "a", true),
        (["*.md", "!R*.md", "RX.md"], "RX.md", true),
    ]

    @Test(arguments: several) func theLastMatchDecides(_ patterns: [String], _ path: String, _ expected: Bool) throws {
        let ignore = try DockerIgnore(Array(patterns.joined(separator: "\n").utf8))
        #expect(ignore.excludes(path) == expected)
        #expect(walk(ignore, path) == expected, "walking from the top")
    }

    /// The answer for a path when every folder's answer is handed on to the next.
    private func walk(_ ignore: DockerIgnore, _ path: String) -> Bool {
        let parts = path.split(separator: "/")
        var answer: (isExcluded: Bool, folder: DockerIgnore.Folder)?
        for count in 1...parts.count {
            answer = ignore.excludes(Array(parts.prefix(count).joined(separator: "/").utf8), in: answer?.folder)
        }
        return answer?.isExcluded ?? false
    }

    @Test func readsAFile() throws {
        let text = "\u{FEFF}# comment\r\na\r\n\r\n #b\r\n! a/c \n#\n"
        let ignore = try DockerIgnore(Array(text.utf8))
        #expect(ignore.excludes("a"))
        #expect(!ignore.excludes("a/c"))
        #expect(ignore.excludes("#b"), "only a # in the first column is a comment")
        #expect(ignore.hasExceptions)
        #expect(try DockerIgnore([]).isEmpty)
    }

    @Test(arguments: [
        ("a\n!\n", ".dockerignore:2: illegal exclusion pattern: \"!\""),
        ("[", ".dockerignore:1: syntax error in pattern: ["),
        ("a\n\nb[", ".dockerignore:3: syntax error in pattern: b["),
        ("[z-a]", ".dockerignore:1: syntax error in pattern: [z-a]"),
    ]) func refuses(_ text: String, _ message: String) {
        #expect { try DockerIgnore(Array(text.utf8)) } throws: { "\($0)" == message }
    }

    @Test func namesNeedNotBeUTF8() throws {
        let ignore = try DockerIgnore([0x61, 0xFF, 0x2A])
        #expect(ignore.excludes([0x61, 0xFF]))
        #expect(ignore.excludes([0x61, 0xFF, 0xFE, 0x62]))
        #expect(!ignore.excludes([0x61, 0xFE]))
        #expect(try DockerIgnore(Array("?".utf8)).excludes([0xC3]))
    }

    @Test func knowsWhereExceptionsMayBe() throws {
        let ignore = try DockerIgnore(patterns: ["*", "!src/lib/*.c", "!deep/**/x", "!a*/b"])
        for folder in ["src", "src/lib", "src/lib/x.c", "deep", "deep/1/2", "abc", "abc/b/c"] {
            #expect(ignore.mayHoldExceptions(Array(folder.utf8)), "\(folder)")
        }
        for folder in ["lib", "src/other", "src/lib/x.h", "ba", "abc/c"] {
            #expect(!ignore.mayHoldExceptions(Array(folder.utf8)), "\(folder)")
        }
    }

    @Test func aPatternOfManyStarsEndsSoon() throws {
        let ignore = try DockerIgnore(patterns: [String(repeating: "*a", count: 100) + "b"])
        #expect(!ignore.excludes(String(repeating: "a", count: 2000)))
    }
}

/// Facts: Go's filepath.Match.
@Suite("Path patterns") struct PathPatternTests {
    static let cases: [(String, String, Bool)] = [
        ("abc", "abc", true), ("*", "abc", true), ("*", "", true), ("*", "a/b", false), ("a*/b", "abc/b", true),
        ("a*/b", "a/c/b", false), ("a*b?c*x", "abxbbxdbxebxczzx", true), ("a*b?c*x", "abxbbxdbxebxczzy", false),
        ("**", "ab", true), ("**", "a/b", false), ("ab[c]", "abc", true), ("ab[b-d]", "abe", false),
        ("ab[^c]", "abc", false),
        ("a\\*b", "a*b", true), ("a\\*b", "aab", false), ("a?b", "a☺b", true), ("a???b", "a☺b", false),
        ("[a-ζ]*", "α", true),
        ("[\\-x]", "-", true), ("[x\\-]", "z", false), ("a?b", "a/b", false), ("é", "e\u{301}", false),
    ]

    @Test(arguments: cases) func matches(_ pattern: String, _ path: String, _ expected: Bool) throws {
        #expect(try PathPattern(pattern).matches(path) == expected)
    }

    @Test(arguments: ["[", "[a", "[]a]", "[-]", "[x-]", "[-x]", "\\", "a[", "[^", "[a-b-c]", "[a\\"])
    func refuses(_ pattern: String) {
        #expect(throws: PathPatternError.self) { try PathPattern(pattern) }
    }

    @Test func knowsWildcards() {
        #expect(["a*", "?", "x[a]"].allSatisfy(PathPattern.hasWildcards))
        #expect(!["a", "a\\*", "]", "a/b.c"].contains(where: PathPattern.hasWildcards))
    }

    @Test(arguments: [
        ("", "."), (".", "."), ("/", "/"), ("//a//b/", "/a/b"), ("a/./b/..", "a"), ("../a", "../a"), ("/../a", "/a"),
        ("a/../..", ".."), ("./", "."), ("/a/../../b", "/b"),
    ]) func cleansPaths(_ path: String, _ clean: String) {
        #expect(PathText.clean(path) == clean)
    }
}
