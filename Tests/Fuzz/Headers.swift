import OCI
import Registry

extension Fuzz {
    /// What the headers of a registry's answers say. The first byte chooses the header. Some inputs are repeated: what takes
    /// quadratic time then takes longer than libFuzzer allows.
    static func headers(_ bytes: UnsafeRawBufferPointer) {
        guard let choice = bytes.first else { return }
        if isForTime(bytes) {
            return largeHeaders(String(decoding: repeated(bytes.dropFirst()), as: UTF8.self), choice)
        }
        let text = String(decoding: bytes.dropFirst(), as: UTF8.self)
        switch choice & 7 {
        case 0: challenges(text)
        case 1: links(text)
        case 2: ranges(text)
        case 3: delays(text)
        case 4:
            // Docker-Content-Digest.
            if let digest = try? Digest(text) { requireEqual(digest.description, text, "a digest is its text") }
        case 5: urls(text)
        default:
            // One header on several lines.
            let lines = text.split(separator: "\n").map(String.init)
            require(AuthenticationChallenge.parse(lines).count <= 32, "challenges are bounded")
            require(LinkHeader.parse(lines).count <= 32, "links are bounded")
        }
    }

    /// WWW-Authenticate.
    private static func challenges(_ text: String) {
        for challenge in AuthenticationChallenge.parse([text]) {
            requireEqual(AuthenticationChallenge.parse([written(challenge)]), [challenge], "a challenge survives")
        }
    }

    private static func written(_ challenge: AuthenticationChallenge) -> String {
        let parameters = challenge.parameters.sorted { $0.key < $1.key }.map { "\($0)=\(quoted($1))" }
        return ([challenge.scheme] + [challenge.token68].compactMap { $0 }).joined(separator: " ")
            + (challenge.token68 == nil ? " " : ", ")
            + parameters.joined(separator: ", ")
    }

    private static func quoted(_ value: String) -> String {
        "\"" + value.unicodeScalars.map { $0 == "\"" || $0 == "\\" ? "\\\($0)" : "\($0)" }.joined() + "\""
    }

    private static func links(_ text: String) {
        let links = LinkHeader.parse([text])
        for link in links {
            let parameters = link.parameters.sorted { $0.key < $1.key }.map { "; \($0)=\(quoted($1))" }
            requireEqual(
                LinkHeader.parse(["<\(link.target)>\(parameters.joined())"]),
                [link],
                "a link survives"
            )
        }
        requireEqual(LinkHeader.next([text]), links.first { $0.relations.contains("next") }?.target, "the next page")
    }

    private static func ranges(_ text: String) {
        if let range = ContentRange(text) {
            requireEqual(ContentRange(range.description), range, "a part survives")
            require(range.first >= 0 && range.first <= range.last, "a part's ends are in order")
            if let size = range.size { require(range.last < size, "a part lies in the whole") }
        }
        if let count = ByteRange.uploaded(text), count > 0 {
            requireEqual(ByteRange.uploaded("0-\(count - 1)"), count, "a count survives")
        }
    }

    private static func delays(_ text: String) {
        let now: UInt64 = 1_700_000_000 * 1_000_000_000
        if let seconds = RetryAfter.seconds(text, now: now) {
            require(seconds >= 0, "nobody waits for the past")
            requireEqual(RetryAfter.seconds(" \(seconds)\t", now: now), seconds, "a delay survives")
        }
    }

    /// Location and realm.
    private static func urls(_ text: String) {
        guard let base = try? WebURL("https://registry.example:5000/v2/a?n=1") else { return require(false, "a base") }
        for url in [try? WebURL(text), try? base.resolving(text)].compactMap({ $0 }) {
            requireEqual(try? WebURL(url.description), url, "a URL survives")
            require(url.description.utf8.allSatisfy { (0x21...0x7e).contains($0) }, "a URL is one word")
        }
    }

    // MARK: Time

    /// One input in 512, and always the same ones: how long it takes when it comes again and again.
    static func isForTime(_ bytes: UnsafeRawBufferPointer) -> Bool {
        // FNV-1a.
        bytes.reduce(2_166_136_261 as UInt32) { ($0 ^ UInt32($1)) &* 16_777_619 } & 511 == 0
    }

    /// 256 KiB: for what takes quadratic time, longer than libFuzzer allows.
    static func repeated(_ bytes: UnsafeRawBufferPointer.SubSequence) -> [UInt8] {
        bytes.isEmpty ? [] : Array(repeatElement(bytes, count: max(1, (256 << 10) / bytes.count)).joined())
    }

    private static func largeHeaders(_ text: String, _ choice: UInt8) {
        switch choice & 3 {
        case 0: _ = AuthenticationChallenge.parse([text])
        case 1: _ = LinkHeader.parse([text])
        case 2:
            _ = ContentRange(text)
            _ = ByteRange.uploaded(text)
            _ = RetryAfter.seconds(text, now: 0)
        default:
            _ = try? WebURL(text)
            _ = try? Digest(text)
        }
    }
}
