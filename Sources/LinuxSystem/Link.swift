import CLinux

/// Symbolic links of the engine's own.
package enum Link {
    /// symlink(2): EEXIST where the name is taken, so that making one is a way to take a name.
    package static func create(_ path: String, to target: String) throws(SystemError) {
        try retrying("linking", path) { symlink(target, path) }
    }

    /// realpath(3): a path without links in it.
    package static func canonical(_ path: String) throws(SystemError) -> String {
        guard let text = path.withRawCString({ realpath($0, nil) }) else { throw SystemError("resolving", path) }
        defer { free(text) }
        return String(rawBytes: text)
    }

    /// readlink(2), as text.
    package static func target(_ path: String) throws(SystemError) -> String {
        String(rawBytes: try Files.linkTarget(path))
    }
}
