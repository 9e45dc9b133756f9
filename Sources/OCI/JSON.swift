/// A JSON value (RFC 8259).
///
/// An object keeps its keys in the order in which they came, so that what is read and written again keeps its bytes' order,
/// and so that what the engine writes is deterministic. Numbers keep their text: nothing is lost to a Double.
///
/// Own code rather than FoundationEssentials: decoding one image configuration there costs 0.7 ms of a start that takes 5.
package enum JSON: Sendable {
    case null
    case bool(Bool)
    case number(String)
    case string(String)
    case array([JSON])
    case object([(key: String, value: JSON)])
}

extension JSON {
    package static func number(_ value: some FixedWidthInteger) -> JSON { .number(String(value)) }

    /// An array of strings.
    package static func strings(_ values: some Sequence<String>) -> JSON { .array(values.map { .string($0) }) }

    /// The value of an object's key; nil where it is missing or this is no object. The last of equal keys counts.
    package subscript(_ key: String) -> JSON? {
        guard case .object(let members) = self else { return nil }
        return members.last { $0.key == key }?.value
    }

    package var isNull: Bool { if case .null = self { true } else { false } }
    package var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
    package var string: String? { if case .string(let value) = self { value } else { nil } }
    package var array: [JSON]? { if case .array(let value) = self { value } else { nil } }
    package var object: [(key: String, value: JSON)]? { if case .object(let value) = self { value } else { nil } }
    package var int: Int? { if case .number(let text) = self { Int(text) } else { nil } }
    package var uint64: UInt64? { if case .number(let text) = self { UInt64(text) } else { nil } }
    package var double: Double? { if case .number(let text) = self { Double(text) } else { nil } }

    /// An array's strings; nil where one of its elements is something else.
    package var strings: [String]? {
        guard let array else { return nil }
        var result: [String] = []
        result.reserveCapacity(array.count)
        for element in array {
            guard let text = element.string else { return nil }
            result.append(text)
        }
        return result
    }
}

extension JSON {
    /// Fails where an object has one of the keys twice, or in another case. Programs read such a document in different ways
    /// (CVE-2026-111361): Go's match keys without their case and take the last one, others take the first. Nobody writes
    /// one that means well.
    func requireOneMeaning(of keys: [String], in document: String) throws(EngineError) {
        guard case .object(let members) = self else { return }
        for key in keys {
            var isSeen = false
            for member in members where JSON.isSameWithoutCase(member.key, key) {
                guard !isSeen, member.key == key else {
                    throw EngineError(
                        .invalid,
                        "invalid \(document): \"\(key)\" twice, or in another case, is ambiguous"
                    )
                }
                isSeen = true
            }
        }
    }

    /// As Go's encoding/json folds names: ASCII, and the two letters outside of it whose small forms are k and s.
    private static func isSameWithoutCase(_ a: String, _ b: String) -> Bool {
        if a == b { return true }
        if a.utf8.count < b.utf8.count { return false }
        return a.unicodeScalars.elementsEqual(b.unicodeScalars) { folded($0) == folded($1) }
    }

    private static func folded(_ scalar: Unicode.Scalar) -> UInt32 {
        switch scalar.value {
        case 0x41...0x5A: scalar.value + 0x20
        case 0x212A: 0x6B  // the Kelvin sign
        case 0x17F: 0x73  // the long s
        default: scalar.value
        }
    }
}

extension JSON: Equatable {
    /// Equal as JSON: the order of keys does not matter.
    package static func == (a: JSON, b: JSON) -> Bool {
        switch (a, b) {
        case (.null, .null): return true
        case (.bool(let x), .bool(let y)): return x == y
        case (.number(let x), .number(let y)): return x == y || (Double(x).map { $0 == Double(y) } ?? false)
        case (.string(let x), .string(let y)): return x == y
        case (.array(let x), .array(let y)): return x == y
        case (.object(let x), .object(let y)):
            return x.count == y.count && x.allSatisfy { member in a[member.key] == b[member.key] }
        default: return false
        }
    }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    package init(stringLiteral value: String) { self = .string(value) }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(integerLiteral value: Int) { self = .number(String(value)) }
    package init(arrayLiteral elements: JSON...) { self = .array(elements) }
    package init(dictionaryLiteral elements: (String, JSON)...) {
        self = .object(elements.map { (key: $0.0, value: $0.1) })
    }
}
