import OCI
import Testing

/// Against what Go's `json.Indent` and `json.MarshalIndent` make of the same.
@Suite struct JSONLayoutTests {
    private func laidOut(_ text: String, indent: String = "\t") -> String {
        String(decoding: JSON.laidOut(Array(text.utf8), indent: indent), as: UTF8.self)
    }

    @Test(arguments: [
        ("1", "1"), ("{ }", "{}"), ("[ ]", "[]"), (#"{"a":{},"b":[]}"#, "{\n\t\"a\": {},\n\t\"b\": []\n}"),
        (#" {"a" : [1 ,{"b":null}] }"#, "{\n\t\"a\": [\n\t\t1,\n\t\t{\n\t\t\t\"b\": null\n\t\t}\n\t]\n}"),
        (#""{[,:]}""#, #""{[,:]}""#),
        (#"["\"}",2]"#, "[\n\t\"\\\"}\",\n\t2\n]"), (#"["\\",2]"#, "[\n\t\"\\\\\",\n\t2\n]"),
        // What follows the value stays.
        ("[1]\n", "[\n\t1\n]\n"), ("}}]", "\n}\n}\n]"),
    ]) func linesAreGos(_ text: String, _ shown: String) { #expect(laidOut(text) == shown) }

    @Test func whatIsWrittenStays() {
        let text = #"["\u00e9\/é<&>",1.0e+2]"#
        #expect(laidOut(text) == "[\n\t\"\\u00e9\\/é<&>\",\n\t1.0e+2\n]")
        #expect(laidOut(text, indent: "  ") == "[\n  \"\\u00e9\\/é<&>\",\n  1.0e+2\n]")
    }

    @Test func whatMeansSomethingInHTMLIsEscaped() {
        let shown = JSON.escapedForHTML(Array("[\"<é&>\u{2028}\u{2029}\u{2027}\u{00A8}\"]".utf8))
        let expected = "[\"\\u003cé\\u0026\\u003e\\u2028\\u2029\u{2027}\u{00A8}\"]"
        #expect(String(decoding: shown, as: UTF8.self) == expected)
    }
}
