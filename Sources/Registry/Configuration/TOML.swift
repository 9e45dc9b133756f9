/// A TOML value (TOML v1.0.0).
///
/// A table keeps its keys in the order in which they came: in containerd's hosts.toml that is the order in which mirrors
/// are asked. Own code: no package is worth linking for the few small files that are written in it.
package enum TOML: Equatable, Sendable {
    case string(String)
    case integer(Int64)
    case float(Double)
    case boolean(Bool)
    /// A date, a time or both, as it is written; its numbers are in their ranges.
    case date(String)
    case array([TOML])
    case table(Table)

    package struct Table: Equatable, Sendable {
        package struct Entry: Equatable, Sendable {
            package let key: String
            package let value: TOML
            /// The line that defines it, from 1.
            package let line: Int
        }

        package let entries: [Entry]
        private let places: [String: Int]

        init(_ entries: [Entry]) {
            self.entries = entries
            places = Dictionary(entries.enumerated().map { ($1.key, $0) }, uniquingKeysWith: { first, _ in first })
        }

        package subscript(_ key: String) -> TOML? { entry(key)?.value }

        package func entry(_ key: String) -> Entry? { places[key].map { entries[$0] } }
    }

    package var string: String? { if case .string(let value) = self { value } else { nil } }
    package var integer: Int64? { if case .integer(let value) = self { value } else { nil } }
    package var boolean: Bool? { if case .boolean(let value) = self { value } else { nil } }
    package var array: [TOML]? { if case .array(let value) = self { value } else { nil } }
    package var table: Table? { if case .table(let value) = self { value } else { nil } }

    /// An array's strings; nil where one of its elements is something else.
    package var strings: [String]? {
        guard let array else { return nil }
        let strings = array.compactMap(\.string)
        return strings.count == array.count ? strings : nil
    }
}

/// What is wrong in a TOML text, and where.
package struct TOMLError: Error, CustomStringConvertible, Sendable {
    /// From 1.
    package let line: Int
    package let reason: String

    package var description: String { "line \(line): \(reason)" }
}
