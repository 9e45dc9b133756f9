import CLinux
import LinuxSystem

/// The files of one cgroup folder, in the forms that the kernel writes. A file that this kernel does not have, or that
/// goes with its cgroup while it is read, is nil or empty.
struct CgroupFiles {
    let directory: String

    init(_ directory: String) { self.directory = directory }

    func text(_ file: String) throws(SystemError) -> String? {
        do {
            return try Files.readText("\(directory)/\(file)")
        } catch {
            if error.code == ENOENT || error.code == ENODEV { return nil }
            throw error
        }
    }

    func lines(_ file: String) throws(SystemError) -> [Substring] {
        try text(file)?.split(separator: "\n") ?? []
    }

    /// A file with one number; nil for "max".
    func number(_ file: String) throws(SystemError) -> UInt64? {
        try lines(file).first.flatMap { UInt64($0.trimmed) }
    }

    /// A file with one number; the largest for "max". The kernel's sums can fall below zero for a moment.
    func amount(_ file: String) throws(SystemError) -> UInt64? {
        guard let text = try lines(file).first?.trimmed else { return nil }
        return text == "max" ? UInt64.max : CgroupFiles.unsigned(text)
    }

    /// A file of lines such as "oom_kill 3".
    func table(_ file: String) throws(SystemError) -> [Substring: UInt64]? {
        guard let text = try text(file) else { return nil }
        var result: [Substring: UInt64] = [:]
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: " ")
            if fields.count == 2 { result[fields[0]] = CgroupFiles.unsigned(fields[1]) }
        }
        return result
    }

    /// A list such as "0-2,7", spelled out.
    func list(_ file: String) throws(SystemError) -> [UInt64] {
        try (text(file)?.trimmed.split(separator: ",") ?? []).flatMap { part -> [UInt64] in
            let ends = part.split(separator: "-").compactMap { UInt64($0) }
            guard let first = ends.first, let last = ends.last, first <= last, last <= UInt16.max else { return [] }
            return Array(first...last)
        }
    }

    private static func unsigned(_ text: Substring) -> UInt64? {
        UInt64(text) ?? (text.hasPrefix("-") && Int64(text) != nil ? 0 : nil)
    }
}
