import Testing

@testable import Registry

@Suite struct TOMLTests {
    private func value(_ text: String) throws -> TOML? { try TOML.parse("v = \(text)")["v"] }

    @Test(arguments: [
        (#""a\tb\u00e9\U0001F600\"\\""#, "a\tbé😀\"\\"), (#"'C:\x "y"'"#, #"C:\x "y""#), (#""""#, ""), ("''", ""),
        ("\"\"\"\na\nb\"\"\"", "a\nb"), ("\"\"\"a \\\n\n   b\"\"\"", "a b"), ("\"\"\"\"\"x\"\"\"\"\"", "\"\"x\"\""),
        ("'''\n\\n'a''b'''''", "\\n'a''b''"), ("\"\"\"a\r\nb\"\"\"", "a\nb"), (#""\b\f\r""#, "\u{08}\u{0C}\r"),
        ("\"\"\"\"\"\"", ""), ("\"\"\"\\\"\"\"\"", "\""),
    ])
    func strings(_ text: String, _ content: String) throws { #expect(try value(text) == .string(content)) }

    @Test(arguments: [
        ("0", 0), ("+99", 99), ("-17", -17), ("1_000", 1000), ("0xDEAD_beef", 0xDEAD_BEEF), ("0o755", 0o755),
        ("0b1101", 13), ("9223372036854775807", Int64.max), ("-9223372036854775808", Int64.min), ("-0", 0),
    ])
    func integers(_ text: String, _ number: Int64) throws { #expect(try value(text) == .integer(number)) }

    @Test(arguments: [
        ("1.0", 1.0), ("-0.01", -0.01), ("5e+22", 5e22), ("1e06", 1e6), ("6.626e-34", 6.626e-34), ("1_0.5_0", 10.5),
        ("inf", Double.infinity), ("-inf", -Double.infinity),
    ])
    func floats(_ text: String, _ number: Double) throws { #expect(try value(text) == .float(number)) }

    @Test(arguments: [
        "1979-05-27T07:32:00Z", "1979-05-27T00:32:00.999999-07:00", "1979-05-27 07:32:00", "1979-05-27", "07:32:00",
        "00:32:00.5", "1979-05-27t07:32:00z",
    ])
    func dates(_ text: String) throws {
        #expect(try value(text) == .date(text))
        #expect(try value(text + " # after") == .date(text))
    }

    @Test func other() throws {
        #expect(try value("true") == .boolean(true))
        #expect(try value("[1, 'a', [true,], # c\n\n {x.y = 1}\n ]")?.array?.count == 4)
        guard case .float(let nan) = try value("nan") else {
            Issue.record("nan is no float")
            return
        }
        #expect(nan.isNaN)
        #expect(try value("{}")?.table?.entries.isEmpty == true)
    }

    @Test func tables() throws {
        let document = try TOML.parse(
            """
            title = "x" # comment
            a.b."c d" = 1
            a.e = 2

            [ servers . alpha ]
            ip = "10.0.0.1"
            [servers]
            n = 3
            [servers.alpha.deep]
            k = 4
            [[products]]
            name = "one"
            [products.part]
            p = 1
            [[products]]
            name = "two"
              [[products.list]]
              q = 5
            """
        )
        #expect(document.entries.map(\.key) == ["title", "a", "servers", "products"])
        #expect(document["a"]?.table?["b"]?.table?["c d"] == .integer(1))
        #expect(document["servers"]?.table?["alpha"]?.table?["deep"]?.table?["k"] == .integer(4))
        #expect(document["servers"]?.table?["n"] == .integer(3))
        let products = try #require(document["products"]?.array)
        #expect(products.count == 2)
        #expect(products[0].table?["part"]?.table?["p"] == .integer(1))
        #expect(products[1].table?["list"]?.array?[0].table?["q"] == .integer(5))
        #expect(document.entry("servers")?.line == 5)
    }

    /// The line that the error names, and the text.
    @Test(arguments: [
        (1, "a"), (1, "a ="), (1, "= 1"), (1, "a = 1 b = 2"), (1, "a = 01"), (1, "a = 1__0"), (1, "a = _1"),
        (1, "a = 1_"),
        (1, "a = 0x"), (1, "a = +0x1"), (1, "a = 1."), (1, "a = .5"), (1, "a = 1e"), (1, "a = 1.e5"), (1, "a = tru"),
        (1, "a = 9223372036854775808"), (1, "a = \"x"), (1, "a = 'x"), (1, "a = \"\\x\""), (1, "a = \"\\ud800\""),
        (1, "a = \"\\u12\""), (1, "a = \"\u{01}\""), (1, "# \u{01}"), (1, "a.b = 1 # \u{7F}"), (2, "a = \"\n\""),
        (1, "[a"), (1, "[a]]"), (1, "[[a]"), (1, "[]"), (1, "[a.]"), (1, "[a] b = 1"), (1, "a.b. = 1"),
        (2, "a = 1\na = 2"), (2, "[a]\n[a]"), (2, "[a]\n[[a]]"), (2, "[[a]]\n[a]"), (2, "a = 1\n[a]"),
        (2, "a.b = 1\na = 2"),
        (2, "a.b = 1\n[a]"), (3, "[a.b]\n[a]\nb.c = 1"), (2, "a = {b = 1}\na.c = 2"), (2, "a = {b = 1}\n[a.c]"),
        (2, "a = []\n[[a]]"), (1, "a = {b = 1, b = 2}"), (1, "a = {b = 1,}"), (1, "a = {b.c = 1, b = 2}"),
        (2, "a = {b = 1\n}"), (1, "a = [1 2]"), (1, "a = [,]"), (1, "a = 1979-13-01"), (1, "a = 1979-05-27T25:00:00"),
        (1, "a = 07:32"), (1, "a = 1979-05-27T07:32:00+1"), (1, "\"\"\"a\"\"\" = 1"), (3, "a = '''\n\n"), (1, "a\r= 1"),
    ])
    func refused(_ line: Int, _ text: String) throws {
        let error = try #require(throws: TOMLError.self) { try TOML.parse(text) }
        // An unfinished value is noticed where the text ends.
        #expect((1...line).contains(error.line), "\(error)")
    }

    @Test func hostileDepth() {
        for text in [
            "a = " + String(repeating: "[", count: 100_000), "a = " + String(repeating: "{a=", count: 100_000),
            String(repeating: "a.", count: 100_000) + "a = 1",
            "[" + String(repeating: "a.", count: 100_000) + "a]",
        ] {
            #expect(throws: TOMLError.self) { try TOML.parse(text) }
        }
        // Wide ones are read, in about linear time.
        #expect(throws: Never.self) {
            _ = try TOML.parse(String(repeating: "[[a]]\n", count: 50_000))
            _ = try TOML.parse((0..<50_000).map { "k\($0) = [1]\n" }.joined())
        }
        #expect(throws: TOMLError.self) { try TOML.parse([0x61, 0x3D, 0x22, 0xFF, 0x22]) }
    }

    /// Damaged documents and strings of pieces: each is read or refused, and what is read is the same a second time.
    @Test func anything() throws {
        var random = Seeded(3)
        let whole = """
            a.b = [1, 0x2, 3.5e1, "s", 'l', {x = 1979-05-27}] # c
            [t."k 1"]
            m = \"\"\"
            x \\
              y\"\"\"
            [[u]]
            n = true
            [[u.v]]
            """
        let pieces = [
            "a", ".", "=", "[", "]", "[[", "]]", "{", "}", ",", "\"", "\"\"\"", "'", "\n", "#", " ", "1", "\\", "e",
        ]
        var readable = 0
        for round in 0..<30_000 {
            let bytes = round.isMultiple(of: 2) ? random.damaged(whole) : Array(random.text(of: pieces).utf8)
            guard let table = try? TOML.parse(bytes) else { continue }
            readable += 1
            #expect(try TOML.parse(bytes) == table)
        }
        #expect(readable > 1000)
    }
}
