/// RFC 3339 times in UTC, as the specifications' JSON has them.
package enum Timestamp {
    /// `2024-02-29T12:00:00.5Z` for nanoseconds since 1970; trailing zeros of the fraction are left out, as Go does.
    package static func rfc3339(nanoseconds: UInt64) -> String {
        rfc3339(seconds: nanoseconds / 1_000_000_000, nanoseconds: nanoseconds % 1_000_000_000)
    }

    /// The last second of the year 9999, in seconds since 1970: RFC 3339 has no later one.
    package static let lastSecond: Int64 = 253_402_300_799

    /// The time that so many seconds after 1970 is; what lies outside of RFC 3339's years becomes 1970 or the last second.
    package static func rfc3339(seconds: Int64) -> String {
        rfc3339(seconds: UInt64(min(max(0, seconds), lastSecond)), nanoseconds: 0)
    }

    private static func rfc3339(seconds: UInt64, nanoseconds: UInt64) -> String {
        let (year, month, day) = civil(days: Int(seconds / 86400))
        let rest = Int(seconds % 86400)
        func pad(_ value: Int, _ width: Int = 2) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, width - text.count)) + text
        }
        var fraction = pad(Int(nanoseconds), 9)
        while fraction.hasSuffix("0") { fraction.removeLast() }
        return "\(pad(year, 4))-\(pad(month))-\(pad(day))T\(pad(rest / 3600)):\(pad(rest / 60 % 60)):\(pad(rest % 60))"
            + (fraction.isEmpty ? "" : ".\(fraction)") + "Z"
    }

    /// Nanoseconds since 1970 of an RFC 3339 time with any offset; nil where it is none or lies before 1970. A time after
    /// 2554, where the number ends, is the number's last.
    package static func nanoseconds(rfc3339 text: String) -> UInt64? {
        let bytes = Array(text.utf8)
        func number(_ range: Range<Int>) -> Int? {
            guard range.upperBound <= bytes.count, bytes[range].allSatisfy({ (0x30...0x39).contains($0) }) else {
                return nil
            }
            return Int(String(decoding: bytes[range], as: UTF8.self))
        }
        guard let year = number(0..<4), let month = number(5..<7), let day = number(8..<10), let hour = number(11..<13),
            let minute = number(14..<16), let second = number(17..<19), (1...12).contains(month), (1...31).contains(day)
        else { return nil }
        var at = 19
        var nanoseconds = 0
        if at < bytes.count, bytes[at] == UInt8(ascii: ".") {
            at += 1
            var scale = 100_000_000
            while at < bytes.count, (0x30...0x39).contains(bytes[at]) {
                nanoseconds += Int(bytes[at] - 0x30) * scale
                scale /= 10
                at += 1
            }
        }
        guard at < bytes.count else { return nil }
        var offset = 0
        if bytes[at] != UInt8(ascii: "Z") && bytes[at] != UInt8(ascii: "z") {
            guard let hours = number((at + 1)..<(at + 3)), let minutes = number((at + 4)..<(at + 6)) else { return nil }
            offset = (hours * 3600 + minutes * 60) * (bytes[at] == UInt8(ascii: "-") ? -1 : 1)
        }
        let seconds = days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset
        return seconds < 0 ? nil : self.nanoseconds(seconds: Int64(seconds), nanoseconds: Int64(nanoseconds))
    }

    /// A time of a file or a clock in nanoseconds since 1970: 0 for earlier times, the number's last for those after 2554.
    package static func nanoseconds(seconds: Int64, nanoseconds: Int64) -> UInt64 {
        guard seconds >= 0 else { return 0 }
        let (product, tooBig) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, stillTooBig) = product.addingReportingOverflow(UInt64(max(0, nanoseconds)))
        return tooBig || stillTooBig ? .max : sum
    }

    // Howard Hinnant's calendar arithmetic over 400-year eras that begin on 1 March.
    private static func civil(days: Int) -> (Int, Int, Int) {
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }

    /// Days since 1970 of a date of the Gregorian calendar.
    package static func days(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = (shiftedYear >= 0 ? shiftedYear : shiftedYear - 399) / 400
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}
