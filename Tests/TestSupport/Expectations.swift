import Testing

/// An operation that generates an error: it fails, and says why in one or more lines.
package func expectError(_ outcome: Outcome, _ what: String = "", _ location: SourceLocation = #_sourceLocation) {
    #expect(outcome.code != 0 && !outcome.err.isEmpty, "no error: \(what) \(outcome)", sourceLocation: location)
}

package func expectSuccess(_ outcome: Outcome, _ what: String = "", _ location: SourceLocation = #_sourceLocation) {
    #expect(outcome.code == 0, "\(what) \(outcome)", sourceLocation: location)
}
