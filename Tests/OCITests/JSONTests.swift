import OCI
import Testing

@Suite struct JSONTests {
    @Test(arguments: [
        ("null", "null"), ("  true ", "true"), ("[]", "[]"), ("{}", "{}"), ("-0.5e+10", "-0.5e+10"),
        (#"{"b":1,"a":[1,2,{"c":null}]}"#, #"{"b":1,"a":[1,2,{"c":null}]}"#),
        (#""a\u00e9\n\t\"\\\/""#, #""aé\n\t\"\\/""#), (#""\ud83d\ude00""#, "\"😀\""), (#""\ud83d""#, "\"\u{FFFD}\""),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
    ])
    func readsAndWrites(text: String, written: String) throws {
        #expect(try JSON.parse(text).text() == written)
    }

    @Test(arguments: [
        "", "{", "[1,]", "{\"a\"}", "{a:1}", "01", "1.", "+1", "nul", "\"", "\"\\x\"", "\"\\u12\"", "\"\\u+123\"",
        "[1] 2",
        "\"\u{01}\"", "'a'",
        String(repeating: "[", count: 100_000),
    ])
    func refuses(text: String) {
        #expect(throws: EngineError.self) { try JSON.parse(text) }
    }

    @Test func prettyIsIndentedAndKeepsOrder() throws {
        let text = try JSON.parse(#"{"z":[1,{"y":[]}],"a":{}}"#).text(pretty: true)
        #expect(text == "{\n  \"z\": [\n    1,\n    {\n      \"y\": []\n    }\n  ],\n  \"a\": {}\n}")
    }

    @Test func theLastOfEqualKeysCounts() throws {
        #expect(try JSON.parse(#"{"a":1,"a":2}"#)["a"]?.int == 2)
    }

    @Test func equalityIgnoresTheOrderOfKeys() throws {
        #expect(try JSON.parse(#"{"a":1,"b":2.0}"#) == JSON.parse(#"{"b":2,"a":1}"#))
        #expect(try JSON.parse("[1,2]") != JSON.parse("[2,1]"))
        #expect(try JSON.parse(#"{"a":1,"a":2}"#) == JSON.parse(#"{"a":1,"a":2}"#))
    }
}
