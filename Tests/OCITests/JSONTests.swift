import LinuxSystem
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

    /// A byte that is no UTF-8 is written so that the text is JSON, and read as the byte again; what others write that is no
    /// UTF-8 is U+FFFD, as to runc.
    @Test func bytes() throws {
        for bytes in [
            [0xFF], [0x61, 0x80, 0x62], [0xE2, 0x82], [0xE2, 0x82, 0xAC, 0xFE], [0xF4, 0x8F, 0xBE, 0x80],
            [0xF4, 0x8F, 0xBF, 0xBF, 0x22, 0x5C, 0xC0, 0x0A, 0xED, 0xA0, 0x80], [0xF0, 0x9F, 0x98, 0x80],
        ] as [[UInt8]] {
            let written = JSON.string(String(rawBytes: bytes)).bytes()
            #expect(String(validating: written, as: UTF8.self) != nil)
            // As a text, too.
            #expect(JSON.string(String(rawBytes: bytes)).text().rawBytes == written)
            #expect(try JSON.parse(written).string?.rawBytes == bytes)
        }
        #expect(JSON.string(String(rawBytes: [0x61, 0xFF])).bytes() == Array(#""a\udcff""#.utf8))
        for (given, read) in [
            ([0x22, 0x61, 0xFF, 0x22], "a\u{FFFD}"), ([0x22, 0x5C, 0x6E, 0xFF, 0x5C, 0x6E, 0x22], "\n\u{FFFD}\n"),
        ] as [([UInt8], String)] { #expect(try JSON.parse(given).string == read) }
        #expect(JSON.string(String(rawBytes: [0xF4, 0x8F, 0xBF, 0xBF])).text() == #""\udbff\udfff""#)
        // The scalars that stand for bytes, as they are and as a pair of surrogates.
        let scalar: [UInt8] = [0xF4, 0x8F, 0xBE, 0x80]
        #expect(try JSON.parse([0x22] + scalar + [0x22]).string?.rawBytes == scalar)
        #expect(try JSON.parse(#""\udbff\udf80""#).string?.rawBytes == scalar)
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
