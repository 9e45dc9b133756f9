import LinuxSystem
import OCI
import Runtime

extension ContainerSpec.Host {
    /// This machine's. `withDevices` walks /dev, which only `--privileged` needs.
    package static func current(withDevices: Bool = false) throws -> ContainerSpec.Host {
        let hostname =
            try Files.readText("/proc/sys/kernel/hostname").split(separator: "\n").first.map(String.init) ?? "localhost"
        var host = ContainerSpec.Host(
            hostname: hostname,
            processors: max(1, Processors.configured),
            capabilities: .current(),
            kernel: try .running()
        )
        if withDevices { host.devices = try HostDevices.below("/dev") }
        return host
    }
}

/// Device nodes of the host, as `--device` and `--privileged` ask for them.
package enum HostDevices {
    /// What a request stands for: one node, or all nodes in a folder.
    package static func resolve(_ request: DeviceRequest) throws -> [(
        device: RuntimeSpec.Device, access: LinuxResources.Access
    )] {
        guard let access = LinuxResources.Access(request.access) else {
            throw EngineError(.invalid, "invalid device mode: \(request.access)")
        }
        let status: FileStatus
        do { status = try FileStatus.following(request.source) } catch {
            throw EngineError(
                .notFound,
                "error gathering device information while adding custom device \"\(request.source)\": \(error.reason)"
            )
        }
        if status.kind == .directory {
            let nodes = try below(request.source, renamed: request.destination)
            if nodes.isEmpty { throw EngineError(.invalid, "\"\(request.source)\" holds no device nodes") }
            return nodes.map { ($0, access) }
        }
        guard let device = node(status, path: request.destination) else {
            throw EngineError(
                .invalid,
                "error gathering device information while adding custom device \"\(request.source)\": not a device node"
            )
        }
        return [(device, access)]
    }

    /// All nodes below a folder, without those that a container gets anyway (terminals, the standard streams' links).
    static func below(_ folder: String, renamed: String? = nil) throws -> [RuntimeSpec.Device] {
        var found: [RuntimeSpec.Device] = []
        for name in try Files.list(folder).sorted() {
            guard let status = try? FileStatus.of("\(folder)/\(name)") else { continue }
            let path = "\(renamed ?? folder)/\(name)"
            switch status.kind {
            case .directory where !["pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev"].contains(name):
                found += try below("\(folder)/\(name)", renamed: path)
            case .characterDevice, .blockDevice:
                if !["console", "ptmx"].contains(name), let device = node(status, path: path) { found.append(device) }
            default: break
            }
        }
        return found
    }

    private static func node(_ status: FileStatus, path: String) -> RuntimeSpec.Device? {
        guard status.kind == .characterDevice || status.kind == .blockDevice else { return nil }
        return .init(
            path: path,
            type: status.kind == .blockDevice ? "b" : "c",
            major: status.major,
            minor: status.minor,
            mode: status.mode,
            uid: status.owner,
            gid: status.group
        )
    }
}
