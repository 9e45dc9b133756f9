import CLinux
import OCI
import TestSupport
import Testing

/// The same bundles on the runtime under test and on Debian's crun and runc. A difference that nobody explained fails.
@Suite(.enabled(if: BlackBox.isEnabled), .timeLimit(.minutes(20))) struct SideBySideTests {
    @Test(arguments: Scenario.all) func sameAsTheOthers(scenario: Scenario) throws {
        let runtimes = Self.runtimes
        let seen = try runtimes.map { try scenario.look(with: $0) }
        // Where one refuses, that is the difference, not all that it then does not show.
        let refusals = Set(seen.map { $0["refused"] ?? "" })
        for key in refusals.count > 1 ? ["refused"] : Set(seen.flatMap(\.keys)).sorted() {
            let values = seen.map { $0[key] ?? "absent" }
            guard Set(values).count > 1 else { continue }
            let explanation = Explained.all.first { $0.covers(scenario.name, key) }
            // Those who may differ are left out; the others must agree. Where the odd one is right in its way, the runtime
            // under test may be of its kind.
            let rest = zip(runtimes, values).filter { explanation?.odd.contains($0.0.kind) != true }.map(\.1)
            let fits = explanation?.isWrong == false && values.dropFirst().contains(values[0])
            let row = zip(runtimes, values).map { "\($0.0.kind): \(Self.short($0.1))" }.joined(separator: " | ")
            print("side by side: \(scenario.name): \(key): \(row)\(explanation.map { " (\($0.reason))" } ?? "")")
            #expect(fits || Set(rest).count <= 1, "\(scenario.name): \(key): \(row)")
        }
    }

    /// For docs/conformance.md.
    @Test func everyExplanationIsListed() {
        for one in Explained.all {
            let odd = one.odd.map(\.rawValue).sorted().joined(separator: ", ")
            ConformanceTable.add("explained", one.scenario ?? "any", one.key, odd, one.reason)
            #expect(!one.odd.isEmpty && !one.reason.isEmpty)
            #expect(one.scenario == nil || Scenario.all.contains { $0.name == one.scenario }, "\(one.scenario ?? "")")
        }
    }

    static let runtimes: [OCIRuntime] = {
        let others = [OCIRuntime.crun, .runc].filter { $0.kind != OCIRuntime.underTest.kind }
        return [.underTest] + others
    }()

    private static func short(_ text: String) -> String { text.count > 160 ? "\(text.prefix(160))…" : text }
}

/// A difference that is known, who is the odd one, and why it may be.
struct Explained: Sendable {
    /// Where: the scenario's name, or nil for any.
    let scenario: String?
    /// What: the key's beginning, or its end after a "*".
    let key: String
    let odd: Set<OCIRuntime.Kind>
    /// The odd one is at fault: the runtime under test must not do the same.
    let isWrong: Bool
    let reason: String

    init(_ key: String, in scenario: String? = nil, odd: Set<OCIRuntime.Kind>, isWrong: Bool = false, _ reason: String)
    {
        self.scenario = scenario
        self.key = key
        self.odd = odd
        self.isWrong = isWrong
        self.reason = reason
    }

    func covers(_ name: String, _ key: String) -> Bool {
        guard scenario == nil || scenario == name else { return false }
        return self.key.hasPrefix("*") ? key.hasSuffix(self.key.dropFirst()) : key.hasPrefix(self.key)
    }
}
