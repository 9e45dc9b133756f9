import LinuxSystem
import Testing

/// docs/security.md says what is tested: every hostile layer stands in it, and every test that it names is there.
@Suite struct SecurityDocumentTests {
    private static let repository = String(#filePath).replacing(
        "/Tests/ImagesTests/SecurityDocumentTests.swift",
        with: ""
    )

    private func document() throws -> String { try Files.readText("\(Self.repository)/docs/security.md") }

    @Test func everyHostileLayerIsListed() throws {
        let listed = Set(
            try document().split(separator: "\n").filter { $0.hasPrefix("| `") }.compactMap {
                $0.split(separator: "`").dropFirst().first.map(String.init)
            }
        )
        let hostile = "\(Self.repository)/rootfs-fixtures/hostile"
        var files: Set<String> = []
        for folder in ["containerd", "storage", "umoci", "format"] {
            for name in try Files.list("\(hostile)/\(folder)") where name.hasSuffix(".layer") {
                files.insert("\(folder)/\(name.dropLast(6))")
            }
        }
        #expect(files.count > 100)
        #expect(listed == files)
    }

    @Test func everyTestThatIsNamedIsThere() throws {
        var (target, suite) = ("", "")
        var count = 0
        // Only what stands between backquotes.
        let quoted = try document().split(separator: "`", omittingEmptySubsequences: false).enumerated()
        for (position, text) in quoted where position % 2 == 1 {
            let words = text.split(separator: ".").map(String.init)
            let isFull = words.count >= 2 && words[0].hasSuffix("Tests") && words[1].hasSuffix("Tests")
            if isFull { (target, suite) = (words[0], words[1]) }
            guard let name = words.last, !suite.isEmpty,
                isFull && words.count == 3 || words.count == 1 && isTestName(name)
            else { continue }
            count += 1
            let isThere = try source(of: suite, in: target).contains("func \(name)(")
            #expect(isThere, "\(target).\(suite).\(name)")
        }
        #expect(count > 30)
    }

    /// The suite of other engines' flaws: each of its tests has its row, made by `Scripts/attacks --peers --write`.
    @Test func everyAttackIsListed() throws {
        let document = try document()
        let folder = "\(Self.repository)/Tests/AttackTests"
        var count = 0
        for file in try Files.list(folder) where file.hasSuffix("Tests.swift") {
            var suite = ""
            for line in try Files.readText("\(folder)/\(file)").split(separator: "\n") {
                if let name = line.split(separator: "struct ").last?.prefix(while: { $0 != " " }),
                    line.contains("@Suite struct")
                {
                    suite = String(name)
                }
                guard line.hasPrefix("        func "), line.contains("(target: Target)") else { continue }
                let name = line.dropFirst("        func ".count).prefix { $0 != "(" }
                count += 1
                #expect(document.contains("| `AttackTests.\(suite).\(name)` |"))
            }
        }
        #expect(count > 40)
    }

    /// `aWordLikeThis`, in a table's cell behind another test of the same suite.
    private func isTestName(_ text: String) -> Bool {
        guard let first = text.first, first.isLowercase, text.contains(where: \.isUppercase) else { return false }
        return text.allSatisfy { $0.isLetter || $0.isNumber }
    }

    /// The file of a suite of tests: several targets may have one of the same name.
    private func source(of suite: String, in target: String) throws -> String {
        for name in try Files.list("\(Self.repository)/Tests/\(target)") where name.hasSuffix(".swift") {
            let text = try Files.readText("\(Self.repository)/Tests/\(target)/\(name)")
            if text.contains("struct \(suite) {") { return text }
        }
        return ""
    }
}
