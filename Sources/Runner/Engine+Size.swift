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
    static func bytes(below folder: String) throws -> Int64 {
        var seen: Set<UInt64> = []
        do throws(SystemError) {
            return try bytes(in: try FileDescriptor.open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW), &seen)
        } catch {
            if error.code == SystemError.notFound { return 0 }
            throw error
        }
    }

    /// Hard links count once.
    private static func bytes(in directory: borrowing FileDescriptor, _ seen: inout Set<UInt64>) throws(SystemError)
        -> Int64
    {
        var sum: Int64 = 0
        for entry in try Directory.entries(directory.raw) {
            guard let status = try? FileStatus.of(entry.name, in: directory.raw) else { continue }
            switch status.kind {
            case .directory:
                do throws(SystemError) {
                    let child = try FileDescriptor.openAt(
                        directory.raw,
                        entry.name,
                        O_RDONLY | O_DIRECTORY | O_NOFOLLOW
                    )
                    sum += try bytes(in: child, &seen)
                } catch {
                    if error.code != SystemError.notFound { throw error }
                }
            case .file where status.links == 1 || seen.insert(status.inode).inserted: sum += status.size
            default: break
            }
        }
        return sum
    }
}
