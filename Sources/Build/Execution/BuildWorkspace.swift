import CLinux
import LinuxSystem

/// Where a build makes its layers before they are any: a folder below the store's `tmp`, on the layers' file system.
///
/// Killed builds leave theirs; the store's next collection removes it.
final class BuildWorkspace {
    private let path: String
    private var count = 0

    init(root: String) throws {
        let name = try Random.bytes(8).map { String($0, radix: 16) }.joined()
        path = "\(root)/tmp/build-\(name)"
        try Files.makeDirectories(path, mode: 0o700)
    }

    /// A new, empty folder.
    func folder(_ name: String) throws -> String {
        count += 1
        let folder = "\(path)/\(count)-\(name)"
        try Files.makeDirectories(folder, mode: 0o755)
        try retrying("changing the mode of", folder) { chmod(folder, 0o755) }
        return folder
    }

    /// A new file.
    func file(_ name: String, _ bytes: [UInt8], mode: mode_t) throws -> String {
        let file = try folder(name) + "/file"
        try Files.write(file, bytes, mode: mode)
        // Whatever the caller's umask is.
        try retrying("changing the mode of", file) { chmod(file, mode) }
        return file
    }

    func remove() throws { try Files.removeTree(path) }
}
