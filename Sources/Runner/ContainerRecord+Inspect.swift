import LinuxSystem
import OCI

/// A container as docker's `inspect` shows it, with the keys that scripts ask for.
extension ContainerRecord {
    /// `Config`
    package var config: JSON { older?.config ?? options.inspectedConfig(imageConfiguration, id: id, image: imageName) }

    /// `HostConfig`
    package var hostConfig: JSON { older?.hostConfig ?? options.inspectedHostConfig() }

    /// `Mounts`
    /// - Parameter dataFolder: the container's folder on the disk.
    package func mounts(in dataFolder: String) -> JSON {
        // What a record says that nobody could have asked for has no place.
        older?.mounts
            ?? options.inspectedMounts((try? options.volumes(of: id, over: imageConfiguration, in: dataFolder)) ?? [])
    }
}

extension ContainerOptions {
    fileprivate func inspectedConfig(_ image: ContainerConfiguration, id: String, image name: String) -> JSON {
        let environment = environment(over: image, hostname: "", home: "")
        return [
            "Hostname": .string(hostname ?? String(id.prefix(12))), "Domainname": .string(domainname ?? ""),
            "User": .string(user ?? image.user), "AttachStdin": .bool(interactive), "AttachStdout": true,
            "AttachStderr": true,
            "ExposedPorts": .object(Set(image.exposedPorts + exposedPorts).sorted().map { (key: $0, value: [:]) }),
            "Tty": .bool(terminal), "OpenStdin": .bool(interactive), "StdinOnce": .bool(interactive),
            "Env": .strings(environment.filter { !$0.hasPrefix("HOSTNAME=") && !$0.hasPrefix("HOME=") }),
            "Cmd": (command.isEmpty && entrypoint == nil ? image.cmd : command).map { .strings($0) } ?? .null,
            "Image": .string(name),
            "Volumes": .object(Set(image.volumes + ownVolumes).sorted().map { (key: $0, value: [:]) }),
            "WorkingDir": .string(workingFolder ?? image.workingDir),
            "Entrypoint": (entrypoint ?? image.entrypoint).map { .strings($0) } ?? .null,
            "Labels": .sortedStrings(image.labels.merging(labels) { $1 }),
            "StopSignal": (stopSignal ?? image.stopSignal).map { .string($0) } ?? .null,
            "StopTimeout": stopTimeout.map { .number($0) } ?? .null,
        ]
    }

    /// Where the caller asked for a volume without a name.
    private var ownVolumes: [String] {
        mounts.compactMap { if case .volume = $0.kind { $0.destination } else { nil } }
    }

    fileprivate func inspectedHostConfig() -> JSON {
        var securityOptions: [String] = noNewPrivileges ? ["no-new-privileges"] : []
        if seccomp == .unconfined { securityOptions.append("seccomp=unconfined") }
        return [
            "Binds": .strings(mounts.compactMap(\.bindText)), "NetworkMode": .string(network.rawValue),
            "AutoRemove": .bool(removeAtEnd), "CapAdd": .strings(addedCapabilities),
            "CapDrop": .strings(droppedCapabilities),
            "ExtraHosts": .strings(addedHosts), "GroupAdd": .strings(addedGroups), "Privileged": .bool(privileged),
            "ReadonlyRootfs": .bool(readOnlyRoot), "SecurityOpt": .strings(securityOptions),
            "ShmSize": .number(sharedMemorySize), "Sysctls": .sortedStrings(sysctls), "Init": .bool(initProcess),
            "Memory": .number(resources.memory.limit ?? 0), "MemorySwap": .number(resources.memory.swap ?? 0),
            "MemoryReservation": .number(resources.memory.reservation ?? 0),
            "CpuShares": .number(resources.cpu.shares ?? 0), "CpuPeriod": .number(resources.cpu.period ?? 0),
            "CpuQuota": .number(resources.cpu.quota ?? 0), "CpusetCpus": .string(resources.cpu.cpus ?? ""),
            "CpusetMems": .string(resources.cpu.mems ?? ""),
            "PidsLimit": resources.pidsLimit.map { .number($0) } ?? .null,
            "OomScoreAdj": .number(oomScoreAdj ?? 0),
            "Ulimits": .array(
                limits.map { limit in
                    [
                        "Name": .string(limit.type.dropFirst(7).lowercased()),
                        "Soft": .number(Int64(bitPattern: limit.soft)),
                        "Hard": .number(Int64(bitPattern: limit.hard)),
                    ]
                }
            ),
            "Devices": .array(
                devices.map {
                    [
                        "PathOnHost": .string($0.source), "PathInContainer": .string($0.destination),
                        "CgroupPermissions": .string($0.access),
                    ]
                }
            ),
            "Runtime": "minirun", "RestartPolicy": ["Name": "no", "MaximumRetryCount": 0],
            "MaskedPaths": .strings(maskedPaths(processors: max(1, Processors.configured))),
            "ReadonlyPaths": .strings(readonlyPaths),
        ]
    }

    fileprivate func inspectedMounts(_ volumes: [ContainerSpec.Volume]) -> JSON {
        .array(
            mounts.compactMap { mount in
                guard case .bind(let source, _) = mount.kind else { return nil }
                return [
                    "Type": "bind", "Source": .string(source), "Destination": .string(mount.destination),
                    "Mode": .string(mount.readOnly ? "ro" : ""), "RW": .bool(!mount.readOnly),
                    "Propagation": .string(mount.propagation ?? "rprivate"),
                ]
            }
                + volumes.map { volume in
                    [
                        "Type": "volume", "Name": .string(volume.name), "Source": .string(volume.source),
                        "Destination": .string(volume.destination), "Driver": "local",
                        "Mode": .string(volume.readOnly ? "ro" : ""), "RW": .bool(!volume.readOnly), "Propagation": "",
                    ]
                }
        )
    }
}

extension MountRequest {
    fileprivate var bindText: String? {
        guard case .bind(let source, _) = kind else { return nil }
        return "\(source):\(destination)" + (readOnly ? ":ro" : "")
    }
}
