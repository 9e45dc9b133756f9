import OCI

/// The Retry-After header (RFC 9110, section 10.2.3).
package enum RetryAfter {
    /// Seconds to wait from now on; nil where the value is neither a number nor a date. What lies in the past is 0.
    ///
    /// - Parameter now: nanoseconds since 1970.
    package static func seconds(_ value: String, now: UInt64) -> Int? {
        let text = value.split(whereSeparator: { $0 == " " || $0 == "\t" }).joined(separator: " ")
        guard !text.isEmpty else { return nil }
        if text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) { return Int(text) ?? Int.max }
        guard let date = HTTPDate.seconds(text) else { return nil }
        return max(0, date - Int(now / 1_000_000_000))
    }
}

/// A date in one of HTTP's three forms (RFC 9110, section 5.6.7).
package enum HTTPDate {
    /// Seconds since 1970; nil where it is none.
    ///
    /// `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT` or `Sun Nov  6 08:49:37 1994`.
    package static func seconds(_ text: String) -> Int? {
        let words = text.split(whereSeparator: { " ,-".contains($0) })
        guard words.count >= 5 else { return nil }
        if let month = month(words[1]) {
            guard words.count == 5 else { return nil }
            return seconds(year: words[4], month, day: words[2], time: words[3])
        }
        guard words.count == 6, words[5] == "GMT" || words[5] == "UTC", let month = month(words[2]) else { return nil }
        return seconds(year: words[3], month, day: words[1], time: words[4])
    }

    private static func month(_ name: Substring) -> Int? {
        let names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        return names.firstIndex { $0 == name }.map { $0 + 1 }
    }

    private static func seconds(year: Substring, _ month: Int, day: Substring, time: Substring) -> Int? {
        let parts = time.split(separator: ":", omittingEmptySubsequences: false).map { number($0, digits: 2...2) }
        guard var year = number(year, digits: 2...4), let day = number(day, digits: 1...2), (1...31).contains(day),
            parts.count == 3, let hour = parts[0], let minute = parts[1], let second = parts[2],
            hour < 24, minute < 60, second <= 60
        else { return nil }
        // Two digits: the century that brings it nearest to now, as far as this program will live.
        if year < 100 { year += year < 70 ? 2000 : 1900 }
        return Timestamp.days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second
    }

    private static func number(_ text: Substring, digits: ClosedRange<Int>) -> Int? {
        guard digits.contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return Int(text)
    }
}
