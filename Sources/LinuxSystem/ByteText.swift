import CLinux

/// Texts that stand for any bytes.
///
/// What the kernel and a caller give (arguments, environment, paths) are bytes, which need not be UTF-8; a `String` is UTF-8. So
/// at every door that bytes come in by, a byte that belongs to no UTF-8 becomes a scalar that stands for it, U+10FF80 for 0x80 to
/// U+10FFFF for 0xFF, the last of Unicode's private use; at every door that they leave by it becomes the byte again. In between,
/// whatever is cut and put together at ASCII characters stays what it is. Where these scalars themselves come in, each of their
/// four bytes is taken for one that belongs to no UTF-8: no two inputs give one text, and none is changed. (What Python does with
/// lone surrogates, which no `String` can hold.)
///
/// - In: `init(rawBytes:)`, `init(rawBytes:)` of a C string, `init(repairing:)` for what is UTF-8 by its standard.
/// - Out: `rawBytes`, `withRawCString`; `PathCalls.swift` has the C library's calls with it.
extension String {
    /// The text that stands for these bytes.
    package init(rawBytes bytes: some Collection<UInt8>) {
        if let text = String(validating: bytes, as: UTF8.self), !text.mayHoldStandIns {
            self = text
        } else {
            self.init(decoding: ByteText.standingIn(Array(bytes)), as: UTF8.self)
        }
    }

    /// The text that stands for a C string.
    package init(rawBytes text: UnsafePointer<CChar>) {
        let count = strlen(text)
        self = text.withMemoryRebound(to: UInt8.self, capacity: count) {
            String(rawBytes: UnsafeBufferPointer(start: $0, count: count))
        }
    }

    /// Of what has to be UTF-8: other bytes are lost to U+FFFD, as in most readers of JSON.
    package init(repairing bytes: some Collection<UInt8>) {
        let text = String(decoding: bytes, as: UTF8.self)
        self = text.mayHoldStandIns ? String(rawBytes: Array(text.utf8)) : text
    }

    /// The bytes that the text stands for, as a C string for the length of a call. One with a NUL ends there.
    package func withRawCString<R>(_ body: (UnsafePointer<CChar>) throws -> R) rethrows -> R {
        if !mayHoldStandIns { return try withCString(body) }
        return try (rawBytes.map(CChar.init(bitPattern:)) + [0]).withUnsafeBufferPointer { buffer in
            // An array with an element has an address.
            guard let base = buffer.baseAddress else { return try "".withCString(body) }
            return try body(base)
        }
    }
}

extension StringProtocol {
    /// The bytes that the text stands for.
    package var rawBytes: [UInt8] { mayHoldStandIns ? ByteText.standingOut(Array(utf8)) : Array(utf8) }

    /// Every scalar of U+100000 and above begins with this byte, and hardly a text has one.
    fileprivate var mayHoldStandIns: Bool {
        // By memchr(3): every path and every document is looked at here.
        utf8.withContiguousStorageIfAvailable { bytes in
            bytes.baseAddress.map { memchr($0, 0xF4, bytes.count) != nil } ?? false
        } ?? utf8.contains(0xF4)
    }
}

extension Unicode.Scalar {
    /// The byte that the scalar stands for, where it stands for one.
    package var standsFor: UInt8? { value >= 0x10FF80 ? UInt8(value & 0xFF) : nil }
}

/// The work on bytes.
package enum ByteText {
    /// The UTF-8 of the scalar that stands for a byte of 0x80 and above.
    package static func standIn(for byte: UInt8) -> [UInt8] {
        [0xF4, 0x8F, byte < 0xC0 ? 0xBE : 0xBF, 0x80 | byte & 0x3F]
    }

    fileprivate static func standingIn(_ bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count + 16)
        var at = 0
        while at < bytes.count {
            let length = scalarLength(bytes, at)
            if length == 0 || isStandIn(bytes, at) {
                result += standIn(for: bytes[at])
                at += 1
            } else {
                result += bytes[at..<(at + length)]
                at += length
            }
        }
        return result
    }

    fileprivate static func standingOut(_ bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var at = 0
        while at < bytes.count {
            if isStandIn(bytes, at) {
                result.append(byte(bytes, at))
                at += 4
            } else {
                result.append(bytes[at])
                at += 1
            }
        }
        return result
    }

    /// The byte that the scalar stands for.
    package static func byte(_ bytes: [UInt8], _ at: Int) -> UInt8 {
        (bytes[at + 2] == 0xBE ? 0x80 : 0xC0) | bytes[at + 3] & 0x3F
    }

    /// Whether a scalar that stands for a byte begins here.
    package static func isStandIn(_ bytes: [UInt8], _ at: Int) -> Bool {
        bytes[at] == 0xF4 && at + 3 < bytes.count && bytes[at + 1] == 0x8F && bytes[at + 2] >= 0xBE
            && bytes[at + 2] <= 0xBF && (0x80...0xBF).contains(bytes[at + 3])
    }

    /// How many bytes the scalar has that begins here; 0 where none does (Unicode, table 3-7).
    package static func scalarLength(_ bytes: [UInt8], _ at: Int) -> Int {
        let length: Int
        var second: ClosedRange<UInt8> = 0x80...0xBF
        switch bytes[at] {
        case 0..<0x80: return 1
        case 0xC2...0xDF: length = 2
        case 0xE0: (length, second) = (3, 0xA0...0xBF)
        case 0xED: (length, second) = (3, 0x80...0x9F)
        case 0xE1...0xEF: length = 3
        case 0xF0: (length, second) = (4, 0x90...0xBF)
        case 0xF1...0xF3: length = 4
        case 0xF4: (length, second) = (4, 0x80...0x8F)
        default: return 0
        }
        guard at + length <= bytes.count, second.contains(bytes[at + 1]) else { return 0 }
        return bytes[(at + 2)..<(at + length)].allSatisfy { (0x80...0xBF).contains($0) } ? length : 0
    }
}
