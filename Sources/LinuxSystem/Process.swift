import CLinux

/// What this process got from its caller.
package enum Process {
    /// The words that it was called with, the program's name first. (Swift's own repair what is no UTF-8.)
    package static var arguments: [String] {
        (0..<Int(CommandLine.argc)).compactMap { CommandLine.unsafeArgv[$0].map { String(rawBytes: $0) } }
    }

    /// getenv(3).
    package static func environment(_ name: String) -> String? {
        name.withRawCString { getenv($0) }.map { String(rawBytes: $0) }
    }

    /// The whole environment. Of a name that stands there twice the first counts, as for getenv(3).
    package static var environment: [String: String] {
        var result: [String: String] = [:]
        guard var next = linux_environment() else { return result }
        while let entry = next.pointee {
            let text = String(rawBytes: entry)
            // As bytes: with a combining mark behind it "=" is another character to Swift.
            if let equals = text.utf8.firstIndex(of: UInt8(ascii: "=")) {
                let name = String(text[..<equals])
                if result[name] == nil { result[name] = String(text[text.utf8.index(after: equals)...]) }
            }
            next += 1
        }
        return result
    }

    /// geteuid(2).
    package static var effectiveUser: UInt32 { geteuid() }

    package static var isRoot: Bool { geteuid() == 0 }
}
