import CLinux
import LinuxSystem
import OCI

/// The build context's folder for the few files of it that are read as text: what a link in it leads to is looked for inside of
/// it, as BuildKit has it, so that no context shows a file of the machine (in the lines of a parse error, for one).
struct ContextFolder: ~Copyable {
    /// Far more than anybody writes, in bytes.
    static let limit = 16 << 20

    private let root: FileDescriptor
    private let path: [UInt8]

    init(_ path: String) throws(SystemError) {
        let folder = try FileDescriptor.open(path, O_RDONLY | O_DIRECTORY)
        self.path = try Files.linkTarget("/proc/self/fd/\(folder.raw)")
        root = folder
    }

    /// Where a file lies below the context, by the folder that it is in, all links to that folder followed; nil where that is
    /// elsewhere or is not there.
    func location(of file: String) -> [UInt8]? {
        guard let folder = try? FileDescriptor.open(Files.parent(of: file), linux_o_path | O_DIRECTORY),
            let real = try? Files.linkTarget("/proc/self/fd/\(folder.raw)")
        else { return nil }
        let name = TreePath.name(file.rawBytes)
        if real == path { return name }
        let prefix = path == [TreePath.slash] ? path : path + [TreePath.slash]
        return real.starts(with: prefix) ? Array(real[prefix.count...]) + [TreePath.slash] + name : nil
    }

    /// A regular file of the context; never opens anything else, and so waits for nothing.
    /// - Throws: ENOENT where there is none, or a link that leads out.
    func read(_ location: [UInt8]) throws(SystemError) -> [UInt8] {
        let file = try FileDescriptor.openInRoot(root.raw, TreePath.cString(location), linux_o_path)
        let kind = try file.status().kind
        if kind == .directory { throw SystemError("opening", code: EISDIR) }
        if kind != .file { throw SystemError("opening", code: EINVAL) }
        return try file.reopened(O_RDONLY | O_NONBLOCK).readAll(limit: ContextFolder.limit)
    }

    /// Whether a link stands there.
    func hasLink(_ location: [UInt8]) -> Bool {
        guard let file = try? FileDescriptor.locate(root.raw, location) else { return false }
        return (try? file.status().kind) == .symbolicLink
    }
}
