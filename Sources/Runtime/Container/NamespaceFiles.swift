import CLinux
import LinuxSystem
import OCI

/// Open namespaces to join, in the order of the configuration's.
final class NamespaceFiles {
    private(set) var files: [OpenFile] = []

    final class OpenFile {
        let descriptor: FileDescriptor
        init(_ descriptor: consuming FileDescriptor) { self.descriptor = descriptor }
    }

    var descriptors: [CInt] { files.map { $0.descriptor.raw } }

    /// Opens those that the configuration names by path, and checks that each is of its type
    /// (config-linux.md#namespaces).
    init(_ namespaces: [(type: RuntimeSpec.Namespace, path: String?)]) throws(EngineError) {
        for (type, path) in namespaces {
            guard let path else { continue }
            let file: FileDescriptor
            do throws(SystemError) { file = try FileDescriptor.open(path, O_RDONLY) } catch {
                throw EngineError(.notFound, "namespace path: \(error)")
            }
            let kind = linux_namespace_type(file.raw)
            guard kind >= 0, UInt64(kind) == type.flag.rawValue else {
                throw EngineError(.invalid, "namespace path \(path) is not a \(type.rawValue) namespace")
            }
            files.append(OpenFile(file))
        }
    }

    /// The namespaces of a process that are not this process's own: what to join to be where it is.
    static func others(of pid: pid_t) throws(SystemError) -> NamespaceFlags {
        var flags: NamespaceFlags = []
        let names: [(String, NamespaceFlags)] = [
            ("user", .user), ("mnt", .mount), ("pid", .pid), ("net", .network), ("ipc", .ipc), ("uts", .uts),
            ("cgroup", .cgroup), ("time", .time),
        ]
        for (name, flag) in names {
            guard let own = try? FileStatus.following("/proc/self/ns/\(name)") else { continue }  // an older kernel
            if try FileStatus.following("/proc/\(pid)/ns/\(name)").inode != own.inode { flags.formUnion(flag) }
        }
        return flags
    }
}
