/// One challenge of a WWW-Authenticate header (RFC 9110, section 11.6.1).
package struct AuthenticationChallenge: Equatable, Sendable {
    /// In lower case: "bearer", "basic".
    package let scheme: String
    /// By names in lower case. Of a name that stands there twice the first counts.
    package let parameters: [String: String]
    /// What stands after the scheme where that is one word instead of parameters.
    package let token68: String?

    package init(scheme: String, parameters: [String: String] = [:], token68: String? = nil) {
        self.scheme = scheme
        self.parameters = parameters
        self.token68 = token68
    }

    /// The challenges of all the header's lines, in order.
    ///
    /// A comma separates parameters and challenges alike: a word with "=" after it is a parameter, any other begins a
    /// challenge. Values without quotes may hold what they should not (`realm=https://…`), as some registries send them.
    /// What cannot be read is skipped up to the next comma; at most 32 challenges of 32 parameters are read.
    package static func parse(_ values: [String]) -> [AuthenticationChallenge] {
        var result: [AuthenticationChallenge] = []
        for value in values {
            var parser = ChallengeParser(value)
            result += parser.challenges(limit: 32 - result.count)
        }
        return result
    }
}

private struct ChallengeParser {
    private var text: HeaderText

    init(_ value: String) { text = HeaderText(value) }

    mutating func challenges(limit: Int) -> [AuthenticationChallenge] {
        var result: [AuthenticationChallenge] = []
        text.skipSeparators()
        while result.count < limit, !text.isAtEnd {
            let scheme = text.token()
            guard !scheme.isEmpty else {
                text.skipToComma()
                text.skipSeparators()
                continue
            }
            result.append(challenge(scheme))
            text.skipSeparators()
        }
        return result
    }

    private mutating func challenge(_ scheme: String) -> AuthenticationChallenge {
        var parameters: [String: String] = [:]
        var token68: String?
        text.skipBlanks()
        if let word = text.token68() {
            token68 = word
            text.skipSeparators()
        }
        while let (name, value) = parameter() {
            let name = name.lowercased()
            if parameters.count < 32, parameters[name] == nil { parameters[name] = value }
            text.skipBlanks()
            // Something between a value and its comma.
            if !text.isAtEnd, !text.isAtComma { text.skipToComma() }
            text.skipSeparators()
        }
        return AuthenticationChallenge(scheme: scheme.lowercased(), parameters: parameters, token68: token68)
    }

    /// A parameter; nil, and nothing is taken, where the next word begins a challenge.
    private mutating func parameter() -> (name: String, value: String)? {
        let start = text
        let name = text.token()
        text.skipBlanks()
        guard !name.isEmpty, text.take("=") else {
            text = start
            return nil
        }
        text.skipBlanks()
        return (name, text.quotedString() ?? text.bareValue())
    }
}
