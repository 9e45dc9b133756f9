/// The Content-Range header of a part (RFC 9110, section 14.4): `bytes 100-199/200`.
package struct ContentRange: Equatable, Sendable, CustomStringConvertible {
    /// The first and the last byte, from 0.
    package let first: Int64
    package let last: Int64
    /// Of the whole; nil where the registry does not say it ("*").
    package let size: Int64?

    /// Nil for anything else, also for the form without a part (`bytes */200`).
    package init?(_ value: String) {
        guard value.hasPrefix("bytes ") else { return nil }
        let parts = value.dropFirst(6).split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let (first, last) = ByteRange.ends(parts[0]) else { return nil }
        if parts[1] == "*" {
            size = nil
        } else {
            guard let size = ByteRange.number(parts[1]), size > last else { return nil }
            self.size = size
        }
        self.first = first
        self.last = last
    }

    package var description: String { "bytes \(first)-\(last)/\(size.map(String.init) ?? "*")" }
}

/// Byte positions as headers write them.
package enum ByteRange {
    /// What the Range header of an upload says that the registry has, in bytes: `0-499` are 500. Registries write `0-0` for
    /// none as well (distribution-spec, "Pushing a blob in chunks"). Nil for what does not begin at 0, or is no range.
    package static func uploaded(_ value: String) -> Int64? {
        guard let (first, last) = ends(value.trimmingPrefix("bytes=")), first == 0 else { return nil }
        return last == 0 ? 0 : last + 1
    }

    /// `FIRST-LAST`, in this order.
    fileprivate static func ends(_ text: Substring) -> (first: Int64, last: Int64)? {
        let ends = text.split(separator: "-", omittingEmptySubsequences: false)
        guard ends.count == 2, let first = number(ends[0]), let last = number(ends[1]), first <= last else {
            return nil
        }
        return (first, last)
    }

    /// Digits only. What is larger than any file is no position: who adds to one must not overflow.
    fileprivate static func number(_ text: Substring) -> Int64? {
        guard (1...18).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return Int64(text)
    }
}
