import CLinux
import Images
import LinuxSystem
import OCI

/// The layer between an image and its containers, as docker has it: the empty files and folders that the engine's own mounts
/// lie on, where the image has none. Made once for an image. Without it every container would copy /etc up into its own files
/// only to hold mount points, and `diff`, `commit` and `ps -s` would show them.
///
/// It lies in the folder of the image's top layer and goes with that.
package enum InitLayer {
    /// The folder, made if it is missing.
    /// - Parameter top: the folder of the image's top layer, which holds `fs` (`ImageStore.layerPath`).
    package static func folder(in top: String, over layers: LayerStack) throws -> String {
        let folder = "\(top)/init"
        if FileStatus.exists(folder) { return folder }
        let draft = "\(top)/init.\(try ContainerName.newID().prefix(12))"
        do {
            try Files.makeDirectories(draft)
            for name in ["dev", "proc", "sys"] where try layers.lookup("/\(name)", followLast: false) == nil {
                try Files.makeDirectories("\(draft)/\(name)")
            }
            try makeFiles(["hosts", "hostname", "resolv.conf"], in: draft, over: layers)
            if rename(draft, folder) != 0, !FileStatus.exists(folder) { throw SystemError("renaming", folder) }
        } catch {
            // The next collection takes it away where this cannot; what is wrong is the other.
            try? Files.removeTree(draft)
            throw error
        }
        // Another command was faster: its layer is the same.
        try Files.removeTree(draft)
        return folder
    }

    /// Empty files in /etc, also in the place of links: a link would lead the mount to somewhere else, or nowhere where its
    /// target is made at boot, like that of /etc/resolv.conf on systems with systemd-resolved.
    private static func makeFiles(_ names: [String], in draft: String, over layers: LayerStack) throws {
        let etc = try layers.lookup("/etc", followLast: false)
        guard etc == nil || etc?.status.kind == .directory else { return }
        for name in names {
            if let found = try layers.lookup("/etc/\(name)", followLast: false), found.status.kind != .symbolicLink {
                continue
            }
            try Files.makeDirectories("\(draft)/etc")
            try Files.write("\(draft)/etc/\(name)", [])
        }
        guard let etc, FileStatus.exists("\(draft)/etc") else { return }
        // The topmost folder's owner and mode are those of the merged one.
        let folder = try FileDescriptor.open("\(draft)/etc", O_RDONLY | O_DIRECTORY)
        let lower = try FileDescriptor.open("\(etc.directory)/\(etc.pathInLayer)", O_RDONLY | O_DIRECTORY)
        try NodeMetadata.of(lower.raw) { !$0.hasPrefix("trusted.overlay.") }.apply(to: folder.raw)
    }
}
