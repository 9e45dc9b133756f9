import OCI

/// Headers that a configuration file adds to requests.
enum HeaderTable {
    /// A table of names, each with a value or a list of values.
    static func read(_ table: TOMLReader) throws(EngineError) -> [Endpoint.Header] {
        var result: [Endpoint.Header] = []
        for entry in table.table.entries {
            for value in try table.stringOrStrings(entry.key) {
                guard isValid(entry.key, value) else { throw table.error("a header is not valid", at: entry.key) }
                result.append(.init(entry.key, value))
            }
        }
        return result
    }

    /// A token, and a value without control characters (RFC 9110, section 5): a line end in one would begin another header.
    static func isValid(_ name: String, _ value: String) -> Bool {
        var text = HeaderText(name)
        return !name.isEmpty && text.token() == name
            && value.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }
    }
}
