import OCI

/// Values as little-endian bytes, each at a multiple of its type's alignment (D-Bus specification, "Marshaling").
/// Offsets count from the start of the message or its body, which both stand at multiples of eight.
struct DBusEncoder {
    private(set) var bytes: [UInt8] = []

    mutating func pad(to alignment: Int) {
        while !bytes.count.isMultiple(of: alignment) { bytes.append(0) }
    }

    mutating func append(_ number: some FixedWidthInteger) {
        pad(to: number.bitWidth / 8)
        withUnsafeBytes(of: number.littleEndian) { bytes += $0 }
    }

    mutating func append(_ value: DBusValue) {
        switch value {
        case .byte(let byte): bytes.append(byte)
        case .bool(let flag): append(UInt32(flag ? 1 : 0))
        case .int16(let number): append(number)
        case .uint16(let number): append(number)
        case .int32(let number): append(number)
        case .uint32(let number): append(number)
        case .int64(let number): append(number)
        case .uint64(let number): append(number)
        case .double(let number): append(number.bitPattern)
        case .string(let text), .objectPath(let text):
            append(UInt32(text.utf8.count))
            bytes += text.utf8
            bytes.append(0)
        case .signature(let text):
            bytes.append(UInt8(truncatingIfNeeded: text.utf8.count))
            bytes += text.utf8
            bytes.append(0)
        case .array(let element, let values): append(values, of: element)
        case .structure(let members):
            pad(to: 8)
            for member in members { append(member) }
        case .variant(let value):
            append(.signature(value.signature))
            append(value)
        }
    }

    /// The length in front counts neither itself nor the padding before the first element.
    private mutating func append(_ values: [DBusValue], of element: String) {
        append(UInt32(0))
        let length = bytes.count - 4
        pad(to: DBusEncoder.alignment(of: element.first))
        let start = bytes.count
        for value in values { append(value) }
        let count = UInt32(bytes.count - start)
        for index in 0..<4 { bytes[length + index] = UInt8(truncatingIfNeeded: count >> (8 * index)) }
    }

    static func alignment(of type: Character?) -> Int {
        switch type {
        case "n", "q": 2
        case "b", "i", "u", "s", "o", "a", "h": 4
        case "x", "t", "d", "(", "{": 8
        default: 1
        }
    }
}

/// Reads values from a message of somebody else's: every length is checked.
struct DBusDecoder {
    private let bytes: [UInt8]
    private(set) var position = 0
    /// How deep the value is that is being read: variants in variants must not end the stack.
    private var depth = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    static let malformed = EngineError(.corrupt, "systemd sent a D-Bus message that is malformed")

    /// The values of a signature.
    mutating func values(_ signature: String) throws(EngineError) -> [DBusValue] {
        guard let types = DBusSignature.split(signature) else { throw DBusDecoder.malformed }
        var values: [DBusValue] = []
        for type in types { values.append(try value(type)) }
        return values
    }

    mutating func align(to alignment: Int) throws(EngineError) {
        _ = try take((alignment - position % alignment) % alignment)
    }

    mutating func number<N: FixedWidthInteger & UnsignedInteger>(_ type: N.Type) throws(EngineError) -> N {
        try align(to: N.bitWidth / 8)
        var result: N = 0
        for (index, byte) in try take(N.bitWidth / 8).enumerated() { result |= N(byte) << (8 * index) }
        return result
    }

    private mutating func value(_ type: String) throws(EngineError) -> DBusValue {
        depth += 1
        defer { depth -= 1 }
        guard depth < 64 else { throw DBusDecoder.malformed }
        switch type.first {
        case "y": return .byte(try take(1).first ?? 0)
        case "b": return .bool(try number(UInt32.self) != 0)
        case "n": return .int16(Int16(bitPattern: try number(UInt16.self)))
        case "q": return .uint16(try number(UInt16.self))
        case "i": return .int32(Int32(bitPattern: try number(UInt32.self)))
        case "u", "h": return .uint32(try number(UInt32.self))
        case "x": return .int64(Int64(bitPattern: try number(UInt64.self)))
        case "t": return .uint64(try number(UInt64.self))
        case "d": return .double(Double(bitPattern: try number(UInt64.self)))
        case "s": return .string(try text(Int(number(UInt32.self))))
        case "o": return .objectPath(try text(Int(number(UInt32.self))))
        case "g": return .signature(try text(Int(take(1).first ?? 0)))
        case "v":
            let inner = try text(Int(take(1).first ?? 0))
            guard DBusSignature.split(inner)?.count == 1 else { throw DBusDecoder.malformed }
            return .variant(try value(inner))
        case "a": return try array(of: String(type.dropFirst()))
        case "(", "{":
            // An entry of a dictionary is read as the pair that it is.
            try align(to: 8)
            return .structure(try values(String(type.dropFirst().dropLast())))
        default: throw DBusDecoder.malformed
        }
    }

    private mutating func array(of element: String) throws(EngineError) -> DBusValue {
        let length = Int(try number(UInt32.self))
        try align(to: DBusEncoder.alignment(of: element.first))
        guard length <= bytes.count - position else { throw DBusDecoder.malformed }
        let end = position + length
        var values: [DBusValue] = []
        while position < end { values.append(try value(element)) }
        guard position == end else { throw DBusDecoder.malformed }
        return .array(of: element, values)
    }

    private mutating func text(_ count: Int) throws(EngineError) -> String {
        let text = String(decoding: try take(count), as: UTF8.self)
        guard try take(1).first == 0 else { throw DBusDecoder.malformed }
        return text
    }

    private mutating func take(_ count: Int) throws(EngineError) -> ArraySlice<UInt8> {
        guard count <= bytes.count - position else { throw DBusDecoder.malformed }
        defer { position += count }
        return bytes[position..<position + count]
    }
}
