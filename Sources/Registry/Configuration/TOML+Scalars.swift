// Numbers, booleans and dates (TOML v1.0.0, "Integer" to "Local Time").
extension TOMLParser {
    mutating func scalar() throws(TOMLError) -> TOML {
        let start = at
        while let byte = peek, TOMLParser.isScalarByte(byte) { at += 1 }
        // A date and its time may be parted by one blank.
        if at - start == 10, peek == 0x20, at + 3 < bytes.count, bytes[at + 3] == UInt8(ascii: ":"),
            TOMLParser.isDigit(bytes[at + 1])
        {
            at += 1
            while let byte = peek, TOMLParser.isScalarByte(byte) { at += 1 }
        }
        let word = text(start..<at)
        if word == "true" { return .boolean(true) }
        if word == "false" { return .boolean(false) }
        let bytes = Array(word.utf8)
        if TOMLDate.looksLikeOne(bytes) {
            guard TOMLDate.isOne(bytes) else { throw error("\(word) is no valid date or time") }
            return .date(word)
        }
        guard let number = TOMLParser.number(bytes) else {
            throw error(word.isEmpty ? "a value is missing" : "\(word) is no value")
        }
        return number
    }

    private static func isScalarByte(_ byte: UInt8) -> Bool {
        isBareKeyByte(byte) || byte == UInt8(ascii: "+") || byte == UInt8(ascii: ".") || byte == UInt8(ascii: ":")
    }

    static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

    private static func number(_ bytes: [UInt8]) -> TOML? {
        var digits = bytes[...]
        var sign = ""
        if let first = digits.first, first == UInt8(ascii: "+") || first == UInt8(ascii: "-") {
            digits.removeFirst()
            if first == UInt8(ascii: "-") { sign = "-" }
        }
        switch Array(digits) {
        case Array("inf".utf8): return .float(sign == "-" ? -.infinity : .infinity)
        case Array("nan".utf8): return .float(.nan)
        default: break
        }
        if digits.count > 2, digits.first == UInt8(ascii: "0"), digits.count == bytes.count,
            let radix = radix(digits[digits.startIndex + 1])
        {
            return plain(digits.dropFirst(2), isDigit: { Unicode.Scalar($0).properties.isASCIIHexDigit })
                .flatMap { Int64($0, radix: radix) }.map { .integer($0) }
        }
        if let integer = decimal(digits) { return Int64(sign + integer).map { .integer($0) } }
        return float(digits).map { .float(sign == "-" ? -$0 : $0) }
    }

    private static func radix(_ letter: UInt8) -> Int? {
        switch letter {
        case UInt8(ascii: "x"): 16
        case UInt8(ascii: "o"): 8
        case UInt8(ascii: "b"): 2
        default: nil
        }
    }

    /// Digits without their underscores; nil where an underscore does not stand between two digits.
    private static func plain(_ text: ArraySlice<UInt8>, isDigit: (UInt8) -> Bool) -> String? {
        var result: [UInt8] = []
        var previousIsDigit = false
        for byte in text {
            if byte == UInt8(ascii: "_") {
                guard previousIsDigit else { return nil }
                previousIsDigit = false
            } else {
                guard isDigit(byte) else { return nil }
                result.append(byte)
                previousIsDigit = true
            }
        }
        return previousIsDigit ? String(decoding: result, as: UTF8.self) : nil
    }

    /// A decimal number without a sign and without a zero before other digits.
    private static func decimal(_ text: ArraySlice<UInt8>) -> String? {
        guard let digits = plain(text, isDigit: isDigit), digits == "0" || !digits.hasPrefix("0") else { return nil }
        return digits
    }

    /// `1.5`, `1e6`, `1.5e-6`.
    private static func float(_ text: ArraySlice<UInt8>) -> Double? {
        let parts = text.split(maxSplits: 1, omittingEmptySubsequences: false) {
            $0 == UInt8(ascii: "e") || $0 == UInt8(ascii: "E")
        }
        let mantissa = parts[0].split(separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 || mantissa.count == 2, let whole = decimal(mantissa[0]) else { return nil }
        var number = whole
        if mantissa.count == 2 {
            guard let fraction = plain(mantissa[1], isDigit: isDigit) else { return nil }
            number += "." + fraction
        }
        if parts.count == 2 {
            var exponent = parts[1]
            let sign = exponent.first
            if sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") { exponent.removeFirst() }
            guard let digits = plain(exponent, isDigit: isDigit) else { return nil }
            number += "e" + (sign == UInt8(ascii: "-") ? "-" : "") + digits
        }
        return Double(number)
    }
}

/// RFC 3339's dates and times, whole or in part.
enum TOMLDate {
    /// Four digits and a dash, or two digits and a colon: nothing else begins so.
    static func looksLikeOne(_ bytes: [UInt8]) -> Bool {
        func digits(_ count: Int, _ end: Unicode.Scalar) -> Bool {
            bytes.count > count && bytes[..<count].allSatisfy(TOMLParser.isDigit) && UInt32(bytes[count]) == end.value
        }
        return digits(4, "-") || digits(2, ":")
    }

    static func isOne(_ bytes: [UInt8]) -> Bool {
        if bytes.count > 4, bytes[4] == UInt8(ascii: "-") {
            if bytes.count <= 11 { return isDate(bytes[...]) }
            guard isDate(bytes[..<10]), "Tt ".utf8.contains(bytes[10]) else { return false }
            return isTime(withoutOffset(bytes[11...]) ?? [])
        }
        return isTime(bytes[...])
    }

    /// The time without `Z` or `±hh:mm`; nil where the offset is none.
    private static func withoutOffset(_ time: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        if time.last == UInt8(ascii: "Z") || time.last == UInt8(ascii: "z") { return time.dropLast() }
        guard let sign = time.firstIndex(where: { $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "-") }) else {
            return time
        }
        let offset = time[(sign + 1)...]
        guard offset.count == 5, let hour = number(offset.prefix(2)), hour < 24,
            offset[offset.startIndex + 2] == UInt8(ascii: ":"), let minute = number(offset.suffix(2)), minute < 60
        else { return nil }
        return time[..<sign]
    }

    private static func isDate(_ text: ArraySlice<UInt8>) -> Bool {
        let parts = text.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        guard parts.map(\.count) == [4, 2, 2], number(parts[0]) != nil, let month = number(parts[1]),
            let day = number(parts[2])
        else { return false }
        return (1...12).contains(month) && (1...31).contains(day)
    }

    private static func isTime(_ text: ArraySlice<UInt8>) -> Bool {
        let halves = text.split(separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
        guard let clock = halves.first else { return false }
        if halves.count == 2, halves[1].isEmpty || !halves[1].allSatisfy(TOMLParser.isDigit) { return false }
        let parts = clock.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard parts.map(\.count) == [2, 2, 2], let hour = number(parts[0]), let minute = number(parts[1]),
            let second = number(parts[2])
        else { return false }
        return hour < 24 && minute < 60 && second <= 60
    }

    private static func number(_ text: ArraySlice<UInt8>) -> Int? {
        guard text.allSatisfy(TOMLParser.isDigit) else { return nil }
        return Int(String(decoding: text, as: UTF8.self))
    }
}
