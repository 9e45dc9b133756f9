import Testing

@testable import Build

/// Facts: moby/buildkit frontend/dockerfile/shell and the Dockerfile reference, "Environment replacement".
@Suite("Expansion") struct ExpansionTests {
    static let variables = Variables(
        environment: [
            "NAME=ada", "EMPTY=", "PATH=/usr/bin:/bin", "FILE=/srv/www/index.tar.gz", "STARS=a*b*c", "SPACED=one  two",
            "REPEAT=abcabc", "BRACE=x}y", "NÄME=umlaut", "SLASHED=a/b/c",
        ]
    )

    static let texts: [(String, String)] = [
        // plain
        ("hello", "hello"), ("$NAME", "ada"), ("${NAME}", "ada"), ("x$NAME.y", "xada.y"), ("x${NAME}y", "xaday"),
        ("$UNSET", ""), ("a${UNSET}b", "ab"), ("$NÄME", "umlaut"), ("a$", "a$"), ("a$.b", "a$.b"),
        ("$NAME$NAME", "adaada"),
        ("$1x", "x"), ("$12x", "x"), ("$@x", "x"), ("$$", ""), ("${?}", ""), ("${1:-d}", "d"),
        // quotes and escapes
        ("'$NAME'", "$NAME"), ("\"$NAME\"", "ada"), ("\"'$NAME'\"", "'ada'"), ("\\$NAME", "$NAME"),
        ("\"\\$NAME\"", "$NAME"),
        ("'\\$NAME'", "\\$NAME"), ("a\\tb", "atb"), ("\"a\\tb\"", "a\\tb"), ("a\\\\b", "a\\b"), ("\"a\\\\b\"", "a\\b"),
        ("a\\ b", "a b"), ("a\\", "a"), ("\"\"", ""), ("a'b'\"c\"", "abc"), ("'a\\'", "a\\"), ("\\${NAME}", "${NAME}"),
        // :- - :+ + :? ?
        ("${NAME:-d}", "ada"), ("${EMPTY:-d}", "d"), ("${EMPTY-d}", ""), ("${UNSET:-d}", "d"), ("${UNSET-d}", "d"),
        ("${UNSET:-$NAME}", "ada"), ("${UNSET:-${ALSO:-deep}}", "deep"), ("${UNSET:-}", ""), ("${UNSET:-a b}", "a b"),
        ("${UNSET:-\"q\"}", "q"), ("${UNSET:-\\}}", "}"), ("${NAME:+a}", "a"), ("${EMPTY:+a}", ""), ("${EMPTY+a}", "a"),
        ("${UNSET+a}", ""), ("${NAME:+$PATH:}x", "/usr/bin:/bin:x"), ("${NAME:?no}", "ada"), ("${EMPTY?no}", ""),
        // # ## % %%
        ("${FILE#*/}", "srv/www/index.tar.gz"), ("${FILE##*/}", "index.tar.gz"), ("${FILE%.*}", "/srv/www/index.tar"),
        ("${FILE%%.*}", "/srv/www/index"), ("${FILE#/srv}", "/www/index.tar.gz"),
        ("${FILE#nope}", "/srv/www/index.tar.gz"),
        ("${FILE%/*}", "/srv/www"), ("${FILE#}", "/srv/www/index.tar.gz"), ("${FILE##}", "/srv/www/index.tar.gz"),
        ("${NAME#?}", "da"), ("${NAME%??}", "a"), ("${STARS#a\\*}", "b*c"), ("${STARS%%\\**}", "a"),
        ("${NAME%$NAME}", ""),
        ("${BRACE%\\}y}", "x"), ("${REPEAT#*b}", "cabc"), ("${REPEAT##*b}", "c"), ("${REPEAT%b*}", "abca"),
        ("${UNSET#a}", ""),
        // / //
        ("${REPEAT/b/X}", "aXcabc"), ("${REPEAT//b/X}", "aXcaXc"), ("${REPEAT//b/}", "acac"), ("${NAME/?/*}", "*da"),
        ("${REPEAT/a*c/X}", "X"), ("${SLASHED//\\//-}", "a-b-c"), ("${SLASHED/\\//\\/}", "a\\/b/c"),
        ("${NAME/x/y}", "ada"),
        ("${NAME//$UNSET/-}", "-a-d-a-"), ("${UNSET/a/b}", ""),
    ]

    @Test(arguments: texts) func expands(_ text: String, _ expected: String) throws {
        #expect(try VariableExpander().expand(text, ExpansionTests.variables).text == expected)
    }

    static let errors: [(String, String)] = [
        ("'a", "unexpected end of statement while looking for matching single-quote"),
        ("\"a", "unexpected end of statement while looking for matching double-quote"),
        ("${", "syntax error: missing '}'"), ("${NAME", "syntax error: missing '}'"),
        ("${NAME:-x", "syntax error: missing '}'"),
        ("${}", "syntax error: bad substitution"), ("${:-x}", "syntax error: bad substitution"),
        ("${{NAME}", "syntax error: bad substitution"), ("${NAME:x}", "unsupported modifier (:x) in substitution"),
        ("${NAME=x}", "unsupported modifier (=) in substitution"),
        ("${NAME:=x}", "unsupported modifier (:=) in substitution"),
        ("${NAME:#x}", "unsupported modifier (:#) in substitution"),
        ("${.}", "unsupported modifier (.) in substitution"),
        ("${UNSET?}", "UNSET: is not allowed to be unset"), ("${EMPTY:?}", "EMPTY: is not allowed to be empty"),
        ("${UNSET:?set it for $NAME}", "UNSET: set it for ada"), ("${NAME/a}", "syntax error: missing '/' in ${}"),
        ("${NAME/a/b", "syntax error: missing '}'"),
        ("${NAME#\\x}", "invalid pattern (\\x) in substitution: invalid escape '\\x'"),
    ]

    @Test(arguments: errors) func refuses(_ text: String, _ message: String) {
        #expect {
            try VariableExpander().expand(text, ExpansionTests.variables)
        } throws: { error in
            "\(error)" == "failed to process \(GoText.quote(text)): \(message)"
        }
    }

    static let words: [(String, [String])] = [
        ("a b", ["a", "b"]), ("  a   b  ", ["a", "b"]), ("'a b' c", ["a b", "c"]), ("a\\ b c", ["a b", "c"]),
        ("$SPACED", ["one", "two"]), ("x${SPACED}y", ["xone", "twoy"]), ("\"$SPACED\"", ["one  two"]), ("$UNSET", []),
        ("a '' b", ["a", "b"]), ("a$UNSET b", ["a", "b"]), ("x${UNSET:-8}0", ["x80"]), ("<< EOF x", ["<< EOF", "x"]),
    ]

    @Test(arguments: words) func splitsWords(_ text: String, _ expected: [String]) throws {
        #expect(try VariableExpander().expand(text, ExpansionTests.variables).words == expected)
    }

    @Test func theEscapeDirectiveChangesTheEscape() throws {
        let expander = VariableExpander(escape: "`")
        #expect(try expander.expand("`$NAME \\$NAME c:\\dir", ExpansionTests.variables).text == "$NAME \\ada c:\\dir")
    }

    @Test func optionsKeepWhatTheySay() throws {
        let all = VariableExpander(options: [.keepQuotes, .keepUndefined])
        let text = "a \"$NAME\" '$NAME' $UNSET ${UNSET} ${UNSET:-d} ${UNSET#x} ${UNSET//a/b}"
        let expected = "a \"ada\" '$NAME' $UNSET ${UNSET} ${UNSET:-d} ${UNSET#x} ${UNSET//a/b}"
        #expect(try all.expand(text, ExpansionTests.variables).text == expected)
        let plain = VariableExpander(options: .ignoreQuotes)
        #expect(try plain.expand("don't \"$NAME\"", ExpansionTests.variables).text == "don't \"ada\"")
        let raw = VariableExpander(options: .keepEscapes)
        #expect(try raw.expand("a\\ b \"\\$\"", ExpansionTests.variables).text == "a\\ b \\$")
    }

    @Test func tellsWhichVariablesItUsed() throws {
        let expansion = try VariableExpander().expand("$B $NAME ${A:-$PATH} $B", ExpansionTests.variables)
        #expect(expansion.used == ["NAME", "PATH"])
        #expect(expansion.undefined == ["B", "A"])
    }

    @Test func aPatternOfManyStarsEndsSoon() throws {
        let variables = Variables(environment: ["A=" + String(repeating: "a", count: 2000)])
        let pattern = String(repeating: "*a", count: 200) + "b"
        #expect(try VariableExpander().expand("${A##\(pattern)}", variables).text == variables["A"])
    }
}
