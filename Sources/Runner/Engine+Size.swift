import CLinux
import Images
import LinuxSystem
import OCI

extension Engine {
    /// The bytes of the files that a container wrote, and with those of its image's layers: `ps -s`.
    package func size(of container: ContainerRecord) throws -> (own: Int64, whole: Int64) {
        let own = try FolderSize.bytes(below: "\(containers.folder(container.id))/upper")
        let layers = try container.layers.reduce(Int64(0)) { sum, text in
            sum + (try images.usableLayer(Digest(text))?.bytes ?? 0)
        }
        return (own, own + layers)
    }
}

/// Adds up the sizes of files. The tree may change meanwhile: what goes is not counted.
private enum FolderSize {
    /// Hard links count once.
    static func bytes(below folder: String) throws -> Int64 {
        let root: FileDescriptor
        do throws(SystemError) { root = try FileDescriptor.open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW) } catch {
            if error.code == SystemError.notFound { return 0 }
            throw error
        }
        var seen: Set<UInt64> = []
        var sum: Int64 = 0
        try FolderWalk(isChanging: true)(root) { entry, folder in
            guard let status = try? FileStatus.of(entry.name, in: folder) else { return false }
            if status.kind == .file, status.links == 1 || seen.insert(status.inode).inserted { sum += status.size }
            return status.kind == .directory
        }
        return sum
    }
}
