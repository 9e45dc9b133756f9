import LinuxSystem
import OCI

extension ContainerSpec {
    /// The default mounts, then the engine's three files and what the caller and the image ask for: the nearer the root the
    /// earlier, so that none covers another that was meant to lie in it, such as one on /etc the file on /etc/hosts.
    func mounts() throws(EngineError) -> [RuntimeSpec.Mount] {
        var mounts = DockerDefaults.mounts(sharedMemorySize: options.sharedMemorySize)
        if options.privileged {
            for index in mounts.indices where ["/sys", "/sys/fs/cgroup"].contains(mounts[index].destination) {
                mounts[index].options.removeAll { $0 == "ro" }
            }
        }
        let files = ["resolv.conf", "hostname", "hosts"].map {
            RuntimeSpec.Mount(
                "/etc/\($0)",
                type: "bind",
                source: "\(folder)/\($0)",
                options: ["rbind", "rprivate"]
            )
        }
        var destinations: Set<String> = []
        var requested: [RuntimeSpec.Mount] = []
        for request in options.mounts {
            let destination = try ContainerSpec.checked(request.destination)
            guard destinations.insert(destination).inserted else {
                throw EngineError(.invalid, "Duplicate mount point: \(destination)")
            }
            if let mount = try mount(request) { requested.append(mount) }
        }
        requested += try volumes().map { .init($0.destination, type: "bind", source: $0.source, options: $0.options) }
        // The caller's word stands for a default at the same place, /dev/shm for instance.
        let isFree: (RuntimeSpec.Mount) -> Bool = { mount in
            !requested.contains { $0.destination == mount.destination }
        }
        requested = files.filter(isFree) + requested
        let depth: (RuntimeSpec.Mount) -> Int = { $0.destination.split(separator: "/").count }
        return mounts.filter(isFree)
            + requested.enumerated().sorted { (depth($0.1), $0.0) < (depth($1.1), $1.0) }.map(\.1)
    }

    /// What has to be made for volumes that nobody named.
    package func volumes() throws(EngineError) -> [Volume] {
        try options.volumes(of: id, over: configuration, in: dataFolder)
    }

    /// What the caller asks for at one place; nil for a volume, since those are numbered together.
    private func mount(_ request: MountRequest) throws(EngineError) -> RuntimeSpec.Mount? {
        let destination = try ContainerSpec.checked(request.destination)
        switch request.kind {
        case .tmpfs(let options):
            var all = ["noexec", "nosuid", "nodev"]
            for option in options {
                // `exec` and the like take the default back.
                all.removeAll { $0 == "no" + option }
                if !["rw", "exec", "suid", "dev"].contains(option) { all.append(option) }
            }
            if request.readOnly { all.append("ro") }
            return .init(destination, type: "tmpfs", source: "tmpfs", options: all)
        case .volume: return nil
        case .bind(let source, _):
            var all = [request.recursive ? "rbind" : "bind", request.propagation ?? "rprivate"]
            if request.readOnly { all.append(request.recursive && request.readOnlyRecursive ? "rro" : "ro") }
            return .init(destination, type: "bind", source: source, options: all)
        }
    }

    /// A destination that a mount may cover. /proc and /sys are the kernel's word on what the container may do: something else
    /// in their place makes the engine, and programs in the container, write to files of somebody's choice (CVE-2019-16884).
    static func checked(_ destination: String) throws(EngineError) -> String {
        guard destination.isAbsolutePath else {
            throw EngineError(.invalid, "invalid mount path: '\(destination)' mount path must be absolute")
        }
        let path = Files.absolute(destination)
        if path == "/" { throw EngineError(.invalid, "invalid specification: destination can't be '/'") }
        if path == "/proc" || path.hasPrefix("/proc/") && !RuntimeSpec.Mount.allowedInProc.contains(path) {
            throw EngineError(.invalid, "\"\(path)\" cannot be mounted because it is inside /proc")
        }
        return path
    }
}
