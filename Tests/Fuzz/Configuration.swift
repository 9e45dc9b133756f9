import OCI
import Registry

extension Fuzz {
    /// Configuration files that other programs write: TOML, hosts.toml, registries.conf, and our own registries.toml. The first
    /// byte chooses, as it does for headers.
    static func configuration(_ bytes: UnsafeRawBufferPointer) {
        guard let choice = bytes.first else { return }
        let content = isForTime(bytes) ? repeated(bytes.dropFirst()) : Array(bytes.dropFirst())
        guard let table = try? TOML.parse(content) else { return }
        switch choice & 3 {
        case 0: if let hosts = try? HostsFile(content, file: "/etc/hosts.toml") { routes(hosts.route) }
        case 1:
            var registries = ContainersRegistries()
            guard (try? registries.add(content, file: "/etc/registries.conf")) != nil else { return }
            routes { domain, path in
                try registries.registry(domain: domain, path: path)?.route(domain: domain, path: path, .pull)
            }
        case 2:
            guard let file = try? RegistriesFile(content, file: "/etc/registries.toml") else { return }
            routes { domain, path in
                try file.entry(domain: domain, path: path)?.route(domain: domain, path: path)
            }
        default: if content.count < 1 << 16 { survives(table) }
        }
    }

    /// Where a file leads, it is to places that can be asked.
    private static func routes(_ route: (String, String) throws -> Route?) {
        for (domain, path) in [("docker.io", "library/a"), ("a", "a/a"), ("a.a:5000", "a"), ("[::1]:1", "a/b/c")] {
            guard let found = try? route(domain, path) else { continue }
            for place in found.mirrors + [found.registry].compactMap({ $0 }) {
                requireEqual(
                    (try? WebURL(place.endpoint.apiURL("")))?.description,
                    place.endpoint.apiURL(""),
                    "a place has a URL"
                )
                for header in place.endpoint.headers {
                    let text = header.name + header.value
                    require(!text.utf8.contains { $0 == 0x0a || $0 == 0x0d || $0 == 0 }, "a header is one line")
                }
            }
        }
    }

    private static func survives(_ table: TOML.Table) {
        // Headers and dotted keys can nest deeper than values may.
        guard depth(.table(table)) < 60 else { return }
        let text = written(table)
        guard let again = try? TOML.parse(text) else { return require(false, "our own TOML is refused: \(text)") }
        requireEqual(written(again), text, "a document survives")
        require(isSame(.table(table), .table(again)), "a document survives")
    }

    private static func depth(_ value: TOML) -> Int {
        switch value {
        case .array(let elements): 1 + (elements.map(depth).max() ?? 0)
        case .table(let table): 1 + (table.entries.map { depth($0.value) }.max() ?? 0)
        default: 0
        }
    }

    /// All of a table's keys on lines of their own, what is below them inline.
    private static func written(_ table: TOML.Table) -> String {
        table.entries.map { "\(quoted($0.key)) = \(written($0.value))\n" }.joined()
    }

    private static func written(_ value: TOML) -> String {
        switch value {
        case .string(let text): quoted(text)
        case .integer(let number): String(number)
        case .float(let number): "\(number)"
        case .boolean(let value): String(value)
        case .date(let text): text
        case .array(let elements): "[" + elements.map(written).joined(separator: ", ") + "]"
        case .table(let table):
            "{" + table.entries.map { "\(quoted($0.key)) = \(written($0.value))" }.joined(separator: ", ") + "}"
        }
    }

    private static func quoted(_ text: String) -> String {
        "\""
            + text.unicodeScalars.map { scalar in
                switch scalar {
                case "\"", "\\": "\\\(scalar)"
                case "\u{0}"..."\u{1f}", "\u{7f}": "\\U" + hexadecimal(scalar.value)
                default: "\(scalar)"
                }
            }.joined() + "\""
    }

    private static func hexadecimal(_ number: UInt32) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 8 - digits.utf8.count) + digits
    }

    /// Equal but for the lines on which things stand, and with NaN equal to itself.
    private static func isSame(_ one: TOML, _ other: TOML) -> Bool {
        switch (one, other) {
        case (.float(let a), .float(let b)): a == b || a.isNaN && b.isNaN
        case (.array(let a), .array(let b)): a.count == b.count && zip(a, b).allSatisfy(isSame)
        case (.table(let a), .table(let b)):
            a.entries.map(\.key) == b.entries.map(\.key)
                && zip(a.entries, b.entries).allSatisfy { isSame($0.value, $1.value) }
        default: one == other
        }
    }
}
