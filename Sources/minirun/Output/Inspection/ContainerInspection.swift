import OCI
import Runner

/// A container as docker's `container inspect` shows it.
struct ContainerInspection {
    let record: ContainerRecord
    /// The bundle's folder.
    let folder: String
    /// Where its upper and work folders are.
    let dataFolder: String
    /// The folders of its image's layers, the top one first.
    let layers: [String]
    /// Of its first process, on the host, while it runs.
    var pid: Int32 = 0
    /// `--size`
    var size: (own: Int64, whole: Int64)?

    var object: JSON {
        let hasFiles = record.state.started != nil
        func file(_ name: String) -> JSON { .string(hasFiles ? "\(folder)/\(name)" : "") }
        return [
            "Id": .string(record.id), "Created": .string(Timestamp.rfc3339(nanoseconds: record.created)),
            "Path": .string(record.words.first ?? ""), "Args": .strings(Array(record.words.dropFirst())),
            "State": state,
            "Image": .string(record.imageID), "ResolvConfPath": file("resolv.conf"), "HostnamePath": file("hostname"),
            "HostsPath": file("hosts"), "LogPath": "", "Name": .string("/" + record.name), "RestartCount": 0,
            "Driver": "overlay2", "Platform": "linux", "MountLabel": "", "ProcessLabel": "", "AppArmorProfile": "",
            "ExecIDs": .null, "HostConfig": Self.hostDefaults.overlaid(by: record.hostConfig),
            "GraphDriver": graphDriver,
            "SizeRw": size.map { .number($0.own) } ?? .null, "SizeRootFs": size.map { .number($0.whole) } ?? .null,
            "Mounts": record.mounts(in: dataFolder), "Config": Self.configDefaults.overlaid(by: record.config),
            "NetworkSettings": networkSettings,
        ]
    }

    private var state: JSON {
        let isRunning = record.status == .running
        let state = record.state
        func time(_ time: UInt64?) -> JSON {
            .string(time.map { Timestamp.rfc3339(nanoseconds: $0) } ?? ImageInspection.zeroTime)
        }
        return [
            "Status": .string(record.status.rawValue), "Running": .bool(isRunning), "Paused": false,
            "Restarting": false,
            "OOMKilled": .bool(state.outOfMemory), "Dead": false, "Pid": .number(isRunning ? pid : 0),
            "ExitCode": .number(state.exitCode), "Error": .string(state.error), "StartedAt": time(state.started),
            "FinishedAt": time(state.finished),
        ]
    }

    private var graphDriver: JSON {
        [
            "Data": [
                "ID": .string(record.id), "LowerDir": .string(layers.joined(separator: ":")),
                "MergedDir": .string("\(folder)/rootfs"), "UpperDir": .string("\(dataFolder)/upper"),
                "WorkDir": .string("\(dataFolder)/work"),
            ],
            "Name": "overlay2",
        ]
    }

    private var networkSettings: JSON {
        let addresses: JSON = [
            "EndpointID": "", "Gateway": "", "GlobalIPv6Address": "", "GlobalIPv6PrefixLen": 0, "IPAddress": "",
            "IPPrefixLen": 0, "IPv6Gateway": "", "MacAddress": "",
        ]
        let network: JSON = [
            "IPAMConfig": .null, "Links": .null, "Aliases": .null, "DriverOpts": .null, "GwPriority": 0,
            "NetworkID": "",
            "DNSNames": .null,
        ]
        let networks: JSON = .object([(key: record.network, value: network.overlaid(by: addresses))])
        let settings: JSON = ["Bridge": "", "SandboxID": "", "SandboxKey": "", "Ports": [:]]
        return settings.overlaid(by: addresses).overlaid(by: ["Networks": networks])
    }

    /// What the record does not say because nothing of it can be asked for so far.
    private static let hostDefaults: JSON = [
        "Binds": .null, "ContainerIDFile": "", "LogConfig": ["Type": "none", "Config": [:]], "NetworkMode": "none",
        "PortBindings": [:], "RestartPolicy": ["Name": "no", "MaximumRetryCount": 0], "AutoRemove": false,
        "VolumeDriver": "", "VolumesFrom": .null, "ConsoleSize": [0, 0], "CapAdd": .null, "CapDrop": .null,
        "CgroupnsMode": "private", "Dns": [], "DnsOptions": [], "DnsSearch": [], "ExtraHosts": .null, "GroupAdd": .null,
        "IpcMode": "private", "Cgroup": "", "Links": .null, "OomScoreAdj": 0, "PidMode": "", "Privileged": false,
        "PublishAllPorts": false, "ReadonlyRootfs": false, "SecurityOpt": .null, "UTSMode": "", "UsernsMode": "",
        "ShmSize": 67_108_864, "Runtime": "minirun", "Isolation": "", "CpuShares": 0, "Memory": 0, "NanoCpus": 0,
        "CgroupParent": "", "BlkioWeight": 0, "CpuPeriod": 0, "CpuQuota": 0, "CpusetCpus": "", "CpusetMems": "",
        "Devices": [], "DeviceCgroupRules": .null, "DeviceRequests": .null, "MemoryReservation": 0, "MemorySwap": 0,
        "MemorySwappiness": .null, "OomKillDisable": false, "PidsLimit": .null, "Ulimits": [], "MaskedPaths": [],
        "ReadonlyPaths": [],
    ]

    private static let configDefaults: JSON = [
        "Hostname": "", "Domainname": "", "User": "", "AttachStdin": false, "AttachStdout": true, "AttachStderr": true,
        "ExposedPorts": [:], "Tty": false, "OpenStdin": false, "StdinOnce": false, "Env": .null, "Cmd": .null,
        "Healthcheck": .null, "Image": "", "Volumes": .null, "WorkingDir": "", "Entrypoint": .null, "OnBuild": .null,
        "Labels": [:], "StopSignal": .null, "StopTimeout": .null, "Shell": .null,
    ]
}
