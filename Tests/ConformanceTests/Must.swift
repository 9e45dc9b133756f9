import CLinux
import LinuxSystem
import TestSupport
import Testing

/// Ties a test to the sentence of the specification, or to the attack, that it is about, and says which of Debian's
/// runtimes do not pass it and why. On such a runtime the test must fail: the reason stays true or goes.
///
/// Each test that runs appends its row to the conformance table (`ConformanceTable`).
struct Must: TestTrait, TestScoping {
    let section: String
    let words: String
    let known: [OCIRuntime.Kind: String]

    func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing function: @Sendable () async throws -> Void
    ) async throws {
        ConformanceTable.add("must", ConformanceTable.name(test), section, words, OCIRuntime.underTest.kind.rawValue)
        // A test with arguments looks at each of them itself.
        guard let reason = known[OCIRuntime.underTest.kind], !test.isParameterized else { return try await function() }
        ConformanceTable.add("known", ConformanceTable.name(test), OCIRuntime.underTest.kind.rawValue, reason)
        await withKnownIssue("\(OCIRuntime.underTest.version): \(reason)") { try await function() }
    }
}

/// With MINIRUN_CONFORMANCE_TABLE what runs says so in that file, in lines of fields with tabs between them; of the lines
/// of several runtimes `Scripts/conformance` makes `docs/conformance.md`.
enum ConformanceTable {
    private static let path = Process.environment("MINIRUN_CONFORMANCE_TABLE")

    static func add(_ fields: String...) {
        guard let path else { return }
        let file = try? FileDescriptor.open(path, O_WRONLY | O_APPEND | O_CREAT, mode: 0o644)
        try? file?.write(fields.joined(separator: "\t") + "\n")
    }

    /// "SuiteTests.theTest"
    static func name(_ test: Test) -> String {
        let words = "\(test.id)".split(separator: "/").map(String.init)
        let suite = words.first?.split(separator: ".").last ?? ""
        return "\(suite).\(words.count > 1 ? words[1].prefix { $0 != "(" } : "")"
    }
}

extension Trait where Self == Must {
    /// `section` is the file and heading of the specification, or the name of the attack; `crun` and `runc` say why Debian's
    /// version does not pass, `minirun` why ours is not to.
    static func must(
        _ section: String,
        _ words: String,
        minirun: String? = nil,
        crun: String? = nil,
        runc: String? = nil
    ) -> Must {
        var known: [OCIRuntime.Kind: String] = [:]
        known[.minirun] = minirun
        known[.crun] = crun
        known[.runc] = runc
        return Must(section: section, words: words, known: known)
    }

    /// The same reason for both.
    static func must(_ section: String, _ words: String, both: String) -> Must {
        .must(section, words, crun: both, runc: both)
    }
}

/// For a part of a test, or one of its arguments: must fail on these runtimes, or may where it is a race.
func known(
    _ kinds: OCIRuntime.Kind...,
    because reason: String,
    if condition: Bool = true,
    sometimes: Bool = false,
    _ body: () throws -> Void
) rethrows {
    if condition && kinds.contains(OCIRuntime.underTest.kind) {
        if let test = Test.current {
            let kind = OCIRuntime.underTest.kind.rawValue
            let when = sometimes ? " (at times)" : ""
            ConformanceTable.add("known", ConformanceTable.name(test), kind, reason + when)
        }
        withKnownIssue("\(reason)", isIntermittent: sometimes) { try body() }
    } else {
        try body()
    }
}
