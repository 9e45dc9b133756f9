/// One link of a Link header (RFC 8288): how a registry names the next page of a list.
package struct LinkHeader: Equatable, Sendable {
    /// The URI reference as it stands there: absolute, or relative to what was asked.
    package let target: String
    /// By names in lower case. Of a name that stands there twice the first counts.
    package let parameters: [String: String]

    /// The relation types, in lower case.
    package var relations: [String] { (parameters["rel"] ?? "").lowercased().split(separator: " ").map(String.init) }

    /// The links of all the header's lines, at most 32. What cannot be read is skipped up to the next comma.
    package static func parse(_ values: [String]) -> [LinkHeader] {
        var result: [LinkHeader] = []
        for value in values {
            var text = HeaderText(value)
            text.skipSeparators()
            while result.count < 32, !text.isAtEnd {
                if text.take("<") {
                    // Where no target ends, none begins behind it either: looking again would take quadratic time.
                    guard let target = text.upTo(">") else { break }
                    result.append(LinkHeader(target: target, parameters: parameters(&text)))
                }
                text.skipToComma()
                text.skipSeparators()
            }
        }
        return result
    }

    /// The target of the first link to the next page.
    package static func next(_ values: [String]) -> String? {
        parse(values).first { $0.relations.contains("next") }?.target
    }

    /// What stands behind a target.
    private static func parameters(_ text: inout HeaderText) -> [String: String] {
        var parameters: [String: String] = [:]
        text.skipBlanks()
        while text.take(";") {
            text.skipBlanks()
            let name = text.token().lowercased()
            text.skipBlanks()
            var value = ""
            if text.take("=") {
                text.skipBlanks()
                value = text.quotedString() ?? text.bareValue()
            }
            if !name.isEmpty, parameters.count < 32, parameters[name] == nil { parameters[name] = value }
            text.skipBlanks()
        }
        return parameters
    }
}
