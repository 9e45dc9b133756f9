import CLinux

/// What this process got from its caller.
package enum Process {
    /// getenv(3).
    package static func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

    /// The whole environment. Of a name that stands there twice the first counts, as for getenv(3).
    package static var environment: [String: String] {
        var result: [String: String] = [:]
        guard var next = linux_environment() else { return result }
        while let entry = next.pointee {
            let text = String(cString: entry)
            if let equals = text.firstIndex(of: "=") {
                let name = String(text[..<equals])
                if result[name] == nil { result[name] = String(text[text.index(after: equals)...]) }
            }
            next += 1
        }
        return result
    }

    /// geteuid(2).
    package static var effectiveUser: UInt32 { geteuid() }

    package static var isRoot: Bool { geteuid() == 0 }
}
