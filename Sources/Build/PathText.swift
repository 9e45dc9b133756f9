import OCI

/// Paths as text, as Go's path package treats them: no file is looked at.
enum PathText {
    /// The shortest path of the same meaning: no `.`, no `..` that can be resolved, no double `/`, none at the end.
    static func clean(_ path: String) -> String { String(decoding: clean(Array(path.utf8)), as: UTF8.self) }

    static func clean(_ path: [UInt8]) -> [UInt8] {
        let slash = UInt8(ascii: "/")
        let dot = UInt8(ascii: ".")
        let isAbsolute = path.first == slash
        var kept: [ArraySlice<UInt8>] = []
        for component in path.split(separator: slash) where component != [dot] {
            if component != [dot, dot] {
                kept.append(component)
            } else if let last = kept.last, last != [dot, dot] {
                kept.removeLast()
            } else if !isAbsolute {
                kept.append(component)
            }
        }
        let joined = Array(kept.joined(separator: [slash]))
        if isAbsolute { return [slash] + joined }
        return joined.isEmpty ? [dot] : joined
    }

    /// `path` seen from the folder `base`; an absolute path stays itself. Cleaned.
    static func join(_ base: String, _ path: String) -> String { clean(path.isAbsolutePath ? path : "\(base)/\(path)") }

    /// The last component: `b` of `/a/b/`; `/` of `/`, `.` of nothing.
    static func lastComponent(_ path: String) -> String {
        if path.isEmpty { return "." }
        return path.split(separator: "/").last.map(String.init) ?? "/"
    }
}
