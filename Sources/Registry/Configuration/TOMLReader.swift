import OCI

/// A table of a configuration file that is being read, with its place for the error's text:
/// "/etc/containers/registries.conf: line 3: "insecure" is neither true nor false".
struct TOMLReader {
    let table: TOML.Table
    /// The file, as an error names it.
    let file: String
    /// The line that begins the table; 0 for the document.
    private let line: Int

    /// A whole document.
    init(_ bytes: [UInt8], file: String) throws(EngineError) {
        do throws(TOMLError) { self.init(try TOML.parse(bytes), file: file, line: 0) } catch {
            throw EngineError(.invalid, "\(file): \(error)")
        }
    }

    private init(_ table: TOML.Table, file: String, line: Int) {
        self.table = table
        self.file = file
        self.line = line
    }

    func error(_ reason: String, at key: String? = nil) -> EngineError {
        let line = key.flatMap { table.entry($0)?.line } ?? self.line
        return EngineError(.invalid, "\(file): \(line > 0 ? "line \(line): " : "")\(reason)")
    }

    private func value<V>(_ key: String, _ kind: String, _ read: (TOML) -> V?) throws(EngineError) -> V? {
        guard let member = table[key] else { return nil }
        guard let value = read(member) else { throw error("\"\(key)\" is not \(kind)", at: key) }
        return value
    }

    func string(_ key: String) throws(EngineError) -> String? { try value(key, "a string", \.string) }

    func boolean(_ key: String) throws(EngineError) -> Bool? { try value(key, "true or false", \.boolean) }

    /// A list of strings; nil where the key is missing.
    func strings(_ key: String) throws(EngineError) -> [String]? { try value(key, "a list of strings", \.strings) }

    /// One string, or a list of them; empty where the key is missing.
    func stringOrStrings(_ key: String) throws(EngineError) -> [String] {
        try value(key, "a string or a list of strings") { $0.string.map { [$0] } ?? $0.strings } ?? []
    }

    func table(_ key: String) throws(EngineError) -> TOMLReader? {
        guard let table = try value(key, "a table", \.table) else { return nil }
        return TOMLReader(table, file: file, line: self.table.entry(key)?.line ?? line)
    }

    /// The tables below one, with their names, in the file's order.
    func tables(_ key: String) throws(EngineError) -> [(name: String, table: TOMLReader)] {
        guard let outer = try table(key) else { return [] }
        var result: [(name: String, table: TOMLReader)] = []
        for entry in outer.table.entries {
            guard let inner = try outer.table(entry.key) else { continue }
            result.append((entry.key, inner))
        }
        return result
    }

    /// The tables of an array of tables.
    func list(_ key: String) throws(EngineError) -> [TOMLReader] {
        let line = table.entry(key)?.line ?? self.line
        let tables = try value(key, "an array of tables") { value -> [TOML.Table]? in
            guard let elements = value.array else { return nil }
            let tables = elements.compactMap(\.table)
            return tables.count == elements.count ? tables : nil
        }
        return (tables ?? []).map { TOMLReader($0, file: file, line: $0.entries.first?.line ?? line) }
    }

    /// Fails where a key is none of these: a misspelled key must not silently do nothing.
    func expect(_ keys: Set<String>) throws(EngineError) {
        if let unknown = table.entries.first(where: { !keys.contains($0.key) }) {
            throw error("unknown key \"\(unknown.key)\"", at: unknown.key)
        }
    }
}
