import OCI
import Testing

/// Whatever a `config.json` holds, there is a specification or an error: no crash, no endless loop.
@Suite("Runtime specification: any configuration") struct RuntimeSpecFuzzTests {
    private struct Generator: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ (state >> 33)
        }
    }

    private static let strange: [JSON] = [
        .null, true, 0, -1, .number("18446744073709551616"), .number("-9223372036854775809"), .number("1e400"),
        .number("0.5"), "", "/", "a\u{0}b", "../..", "MPOL_BIND", "0-65537", [], [[]], ["a", .null], .object([]),
        ["": ""],
        ["a": .null], .string(String(repeating: "é", count: 300)),
    ]

    /// Values are replaced, removed and doubled anywhere in the tree: what a mutation of the text rarely reaches.
    @Test(arguments: 0..<4) func valuesAnywhere(seed: Int) throws {
        var generator = Generator(state: UInt64(seed + 1))
        let whole = try JSON.parse(GivenSpec.everything)
        var readable = 0
        for _ in 0..<1500 {
            var json = whole
            for _ in 0..<Int.random(in: 1...3, using: &generator) { json = mutate(json, &generator) }
            if check(json) { readable += 1 }
        }
        #expect(readable > 50)
    }

    @Test func bytesAnywhere() {
        var generator = Generator(state: 9)
        let alphabet = Array("\"\\{}[]:,-+0123456789eE.nulltrefas /\u{0}".utf8) + [0xC3, 0xFF]
        for _ in 0..<1500 {
            var bytes = Array(GivenSpec.everything.utf8)
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let at = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bytes[at] = alphabet[Int.random(in: 0..<alphabet.count, using: &generator)]
                case 1: bytes.insert(alphabet[Int.random(in: 0..<alphabet.count, using: &generator)], at: at)
                default: bytes.removeSubrange(at..<min(bytes.count, at + Int.random(in: 1...9, using: &generator)))
                }
            }
            if let json = try? JSON.parse(bytes) { _ = check(json) }
        }
    }

    /// What is read can be written and read again as the same; every error says something.
    private func check(_ json: JSON) -> Bool {
        let spec: RuntimeSpec
        do {
            spec = try RuntimeSpec(json)
        } catch {
            #expect(!error.message.isEmpty)
            return false
        }
        let again = try? RuntimeSpec(spec.json)
        #expect(again?.json.text() == spec.json.text())
        do {
            try spec.validate()
        } catch {
            #expect(!error.message.isEmpty)
        }
        return true
    }

    private func mutate(_ json: JSON, _ generator: inout Generator) -> JSON {
        let stop = Int.random(in: 0..<6, using: &generator) == 0
        switch json {
        case .object(var members) where !stop && !members.isEmpty:
            let at = Int.random(in: 0..<members.count, using: &generator)
            switch Int.random(in: 0..<12, using: &generator) {
            case 0: members.remove(at: at)
            case 1: members.append((members[at].key, mutate(members[at].value, &generator)))
            case 2: members[at].key += "x"
            default: members[at].value = mutate(members[at].value, &generator)
            }
            return .object(members)
        case .array(var elements) where !stop && !elements.isEmpty:
            let at = Int.random(in: 0..<elements.count, using: &generator)
            switch Int.random(in: 0..<6, using: &generator) {
            case 0: elements.remove(at: at)
            case 1: elements.append(elements[at])
            default: elements[at] = mutate(elements[at], &generator)
            }
            return .array(elements)
        default: return Self.strange[Int.random(in: 0..<Self.strange.count, using: &generator)]
        }
    }
}
