import LinuxSystem
import Testing

/// Texts that stand for bytes: whatever comes in goes out, and no two inputs become one text.
@Suite struct ByteTextTests {
    private func check(_ bytes: [UInt8]) -> Bool {
        let text = String(rawBytes: bytes)
        guard text.rawBytes == bytes else { return false }
        if !bytes.contains(0) {
            let again = text.withRawCString { String(rawBytes: $0) }
            guard again.utf8.elementsEqual(text.utf8) else { return false }
        }
        // What is UTF-8 and holds none of the scalars that stand for bytes is itself.
        guard let plain = String(validating: bytes, as: UTF8.self),
            !plain.unicodeScalars.contains(where: { $0.value >= 0x10FF80 })
        else { return true }
        return plain.utf8.elementsEqual(text.utf8)
    }

    @Test func everyByteAndEveryPair() {
        var wrong: [[UInt8]] = []
        for first in UInt8.min...UInt8.max {
            if !check([first]) { wrong.append([first]) }
            for second in UInt8.min...UInt8.max where !check([first, second]) { wrong.append([first, second]) }
        }
        #expect(wrong.isEmpty, "\(wrong.prefix(10))")
    }

    /// Bytes that begin, go on with and end what is UTF-8 or nearly so, the scalars that stand for bytes among them.
    @Test func whatIsNearlyUTF8() {
        let letters: [UInt8] = [
            0x00, 0x2F, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBE, 0xBF, 0xC0, 0xC2, 0xE0, 0xED, 0xEF, 0xF0, 0xF4,
            0xF5, 0xFF,
        ]
        var wrong: [[UInt8]] = []
        // All of four letters, and of eight so many that are drawn by a fixed rule.
        for number in 0..<160_000 {
            let four = [0, 1, 2, 3].map { letters[number / [1, 20, 400, 8000][$0] % 20] }
            if !check(four) { wrong.append(four) }
        }
        var state: UInt64 = 0x9E37_79B9_7F4A_7C15
        for _ in 0..<100_000 {
            let eight = (0..<9).map { _ in
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return letters[Int(state >> 33) % letters.count]
            }
            if !check(eight) { wrong.append(eight) }
        }
        #expect(wrong.isEmpty, "\(wrong.prefix(10))")
    }

    @Test func theScalarsThemselves() throws {
        for value in UInt32(0x10FF7E)...0x10FFFF {
            let bytes = Array(String(try #require(Unicode.Scalar(value))).utf8)
            #expect(String(rawBytes: bytes).rawBytes == bytes)
            #expect(String(rawBytes: bytes).unicodeScalars.count == (value < 0x10FF80 ? 1 : 4))
            #expect(String(repairing: bytes).rawBytes == bytes)
        }
        #expect(String(repairing: [0x61, 0xFF]) == "a\u{FFFD}")
        #expect(String(rawBytes: [0x61, 0xFF]).unicodeScalars.last?.standsFor == 0xFF)
    }

    /// Cut and put together at ASCII.
    @Test func partsAreParts() {
        let bytes: [UInt8] = [0x2F, 0xFF, 0x2F, 0x2E, 0x2E, 0x2F, 0xC3, 0x3A, 0xA9, 0x3D, 0xF4]
        let text = String(rawBytes: bytes)
        #expect(text.split(separator: "/").map(\.rawBytes) == bytes.split(separator: 0x2F).map(Array.init))
        #expect(text.split(separator: ":").map(\.rawBytes) == bytes.split(separator: 0x3A).map(Array.init))
        #expect(Files.absolute(text).rawBytes == [0x2F] + bytes[6...])
        // To Swift a slash with a combining mark is another character, to the kernel it is a slash.
        #expect(Files.absolute("/a/../\u{301}b") == "/\u{301}b")
    }

    @Test func filesOfAnyName() throws {
        let parent = "/tmp/byte-text-\(String(try Random.number(), radix: 16))"
        try Files.makeDirectories(parent)
        defer { try? Files.removeTree(parent) }
        let name = String(rawBytes: Array(1...255).filter { $0 != 0x2F })
        let folder = "\(parent)/\(name)"
        try Files.makeDirectories("\(folder)/\(name)")
        #expect(try Files.list(parent) == [name])
        try Files.write("\(folder)/a", [1])
        try Files.replace("\(folder)/a", with: [2])
        #expect(try Files.read("\(folder)/a") == [2])
        try Link.create("\(folder)/link", to: name)
        #expect(try Link.target("\(folder)/link") == name)
        #expect(try Link.canonical("\(folder)/link") == "\(folder)/\(name)")
        #expect(FileStatus.exists("\(folder)/\(name)") && FileStatus.leadsSomewhere("\(folder)/link"))
        let shown = try Subprocess.run(["sh", "-c", "pwd; echo \"$1\"", "sh", name], directory: folder)
        #expect(shown.output == "\(folder)\n\(name)\n".rawBytes)
        try Files.removeTree(folder)
        #expect(try Files.list(parent).isEmpty)
    }
}
