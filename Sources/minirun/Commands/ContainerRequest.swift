import Build
import LinuxSystem
import OCI
import Runner

/// Turns the options of `run` and `create`, which a person typed, into what the runner takes.
enum ContainerRequest {
    static func request(_ parsed: ParsedArguments) throws -> RunRequest {
        var request = RunRequest(image: parsed.positional[0], options: try options(parsed))
        request.platform = try parsed.platform()
        try ContentTrust.check(parsed)
        request.pull = try PullPolicy(parsing: parsed.value("pull") ?? "missing")
        return request
    }

    static func options(_ parsed: ParsedArguments) throws -> ContainerOptions {
        var options = ContainerOptions()
        options.command = Array(parsed.positional.dropFirst())
        // As docker: an empty --entrypoint removes the image's.
        options.entrypoint = parsed.value("entrypoint").map { $0.isEmpty ? [] : [$0] }
        options.name = parsed.value("name")
        options.hostname = parsed.value("hostname")
        options.domainname = parsed.value("domainname")
        options.environment = try Environment.resolve(
            options: parsed.values("env"),
            files: parsed.values("env-file"),
            host: Process.environment
        )
        options.workingFolder = parsed.value("workdir")
        if let folder = options.workingFolder, !folder.isEmpty, !folder.isAbsolutePath {
            throw EngineError(
                .invalid,
                "the working directory '\(folder)' is invalid, it needs to be an absolute path"
            )
        }
        options.user = parsed.value("user")
        options.addedGroups = parsed.values("group-add")
        options.terminal = parsed.flag("tty")
        options.interactive = parsed.flag("interactive")
        options.removeAtEnd = parsed.flag("rm")
        options.initProcess = parsed.flag("init")
        options.stopSignal = try parsed.value("stop-signal").map(stopSignal)
        options.stopTimeout = try parsed.integer("stop-timeout").map { Int(clamping: $0) }
        if let timeout = options.stopTimeout, timeout < -1 {
            throw EngineError(.invalid, "invalid stop timeout: \(timeout); -1 waits for ever")
        }
        for text in try parsed.values("label-file").flatMap(labels) + parsed.values("label") {
            let label = try KeyValue.label(text)
            options.labels[label.key] = label.value
        }
        for text in parsed.values("annotation") {
            let annotation = KeyValue.plain(text)
            options.annotations[annotation.key] = annotation.value
        }
        try addSecurity(parsed, to: &options)
        try addFiles(parsed, to: &options)
        try addNetwork(parsed, to: &options)
        try addLimits(parsed, to: &options)
        return options
    }

    /// As the daemon says it; an empty one is none.
    private static func stopSignal(_ text: String) throws(EngineError) -> String {
        if !text.isEmpty { _ = try signal(text) }
        return text
    }

    /// A signal's number, with the daemon's words for what is none.
    static func signal(_ text: String) throws(EngineError) -> Int32 {
        guard let number = SignalName.number(text), number > 0 else {
            throw EngineError(.invalid, "invalid signal: \(text)")
        }
        return number
    }

    /// The labels of a `--label-file`; a key alone is none, as with docker.
    private static func labels(_ path: String) throws(ValueError) -> [String] {
        try Environment.read(path) { _ in nil }
    }

    /// `--expose 80`, `53/udp`, `8000-8010`.
    private static func exposed(_ text: String) throws -> [String] {
        if text.contains(":") { throw EngineError(.invalid, "invalid port format for --expose: \(text)") }
        if let fault = PortSpecification.fault(inRange: text.cut("/").before) {
            throw EngineError(.invalid, "invalid range format for --expose: \(text), error: \(fault)")
        }
        do throws(MessageError) { return try PortSpecification(text).ports } catch {
            throw EngineError(.invalid, error.message)
        }
    }

    private static func addSecurity(_ parsed: ParsedArguments, to options: inout ContainerOptions) throws {
        options.privileged = parsed.flag("privileged")
        options.addedCapabilities = parsed.values("cap-add")
        options.droppedCapabilities = parsed.values("cap-drop")
        for text in parsed.values("security-opt") {
            switch try SecurityOption(parsing: text) {
            case .noNewPrivileges(let on): options.noNewPrivileges = on
            case .seccompBuiltin: options.seccomp = .dockerDefault
            case .seccompUnconfined: options.seccomp = .unconfined
            case .seccompProfile(let path): options.seccomp = .profile(try profile(path))
            case .systemPathsUnconfined: options.systemPathsUnconfined = true
            case .apparmor("unconfined"), .label("disable"): break
            case .apparmor, .label:
                throw EngineError(.unsupported, "--security-opt \(text): not supported yet")
            }
        }
        for text in parsed.values("sysctl") {
            let sysctl = try KeyValue.sysctl(text)
            options.sysctls[sysctl.key] = sysctl.value
        }
    }

    private static func profile(_ path: String) throws -> [UInt8] {
        do { return try Files.read(path, limit: 4 << 20, waiting: true) } catch {
            throw EngineError(.notFound, "opening seccomp profile (\(path)) failed: \(error)")
        }
    }

    private static func addFiles(_ parsed: ParsedArguments, to options: inout ContainerOptions) throws {
        options.readOnlyRoot = parsed.flag("read-only")
        if let size = try parsed.bytes("shm-size"), size > 0 { options.sharedMemorySize = UInt64(clamping: size) }
        for text in parsed.values("volume") { options.mounts.append(try bind(VolumeOption(parsing: text), text)) }
        for text in parsed.values("mount") { options.mounts.append(try mount(MountOption(parsing: text), text)) }
        for text in parsed.values("tmpfs") {
            let tmpfs = try TmpfsOption(parsing: text)
            options.mounts.append(MountRequest(kind: .tmpfs(options: tmpfs.options), destination: tmpfs.target))
        }
        for text in parsed.values("device") {
            let device = try DeviceOption(parsing: text)
            options.devices.append(
                DeviceRequest(source: device.hostPath, destination: device.containerPath, access: device.permissions)
            )
        }
    }

    private static func bind(_ volume: VolumeOption, _ text: String) throws -> MountRequest {
        let kind: MountRequest.Kind =
            switch volume.source {
            case .path(let source): .bind(source: Files.absolute(source), create: true)
            case .anonymous: .volume(copy: !volume.noCopy)
            case .volume:
                throw EngineError(
                    .unsupported,
                    "-v \(text): named volumes are not supported yet",
                    hint: "give a path: an absolute one, or one that begins with ./"
                )
            }
        var request = MountRequest(kind: kind, destination: volume.target)
        request.readOnly = volume.readOnly
        request.propagation = volume.propagation
        return request
    }

    private static func mount(_ mount: MountOption, _ text: String) throws -> MountRequest {
        var request: MountRequest
        switch mount.kind {
        case .bind:
            let source = Files.absolute(mount.source ?? "")
            guard mount.createsSource || FileStatus.exists(source) else {
                throw EngineError(
                    .notFound,
                    "invalid mount config for type \"bind\": bind source path does not exist: \(source)"
                )
            }
            request = MountRequest(kind: .bind(source: source, create: mount.createsSource), destination: mount.target)
            request.recursive = mount.recursion != .disabled
            request.readOnlyRecursive = mount.recursion != .writable
            request.propagation = mount.propagation
        case .tmpfs:
            var settings: [String] = []
            if let size = mount.tmpfsSize { settings.append("size=\(size)") }
            if let mode = mount.tmpfsMode { settings.append("mode=" + String(mode, radix: 8)) }
            request = MountRequest(kind: .tmpfs(options: settings), destination: mount.target)
        case .volume where mount.source == nil && mount.volumeSubpath == nil:
            request = MountRequest(kind: .volume(copy: !mount.volumeNoCopy), destination: mount.target)
        case .volume, .image:
            throw EngineError(.unsupported, "--mount \(text): type=\(mount.kind.rawValue) is not supported yet")
        }
        request.readOnly = mount.readOnly
        return request
    }

    private static func addNetwork(_ parsed: ParsedArguments, to options: inout ContainerOptions) throws {
        switch parsed.value("network") ?? "none" {
        case "none": options.network = .none
        case "host": options.network = .host
        case let other:
            throw EngineError(.unsupported, "--network \(other): only none and host are supported yet")
        }
        options.addedHosts = try parsed.values("add-host").map { text throws(ValueError) in
            let host = try ExtraHost(parsing: text)
            return "\(host.name):\(host.address)"
        }
        options.exposedPorts = try parsed.values("expose").flatMap(exposed)
        options.nameServers = parsed.values("dns")
        options.searchDomains = parsed.values("dns-search")
        options.resolverOptions = parsed.values("dns-option")
    }

    private static func addLimits(_ parsed: ParsedArguments, to options: inout ContainerOptions) throws {
        var resources = LinuxResources()
        resources.memory.limit = try parsed.bytes("memory")
        resources.memory.reservation = try parsed.bytes("memory-reservation")
        resources.memory.swap = try parsed.bytes("memory-swap")
        try check(&resources.memory)
        try addCPU(parsed, to: &resources.cpu)
        if let cpus = try parsed.nanoCPUs("cpus"), cpus != 0 {
            guard resources.cpu.period == nil, resources.cpu.quota == nil else {
                throw EngineError(.invalid, "Conflicting options: Nano CPUs and CPU Period cannot both be set.")
            }
            guard cpus > 0, cpus <= Int64(Processors.configured) * 1_000_000_000 else {
                throw EngineError(
                    .invalid,
                    "range of CPUs is from 0.01 to \(Processors.configured).00, as there are only \(Processors.configured) CPUs available"
                )
            }
            guard cpus >= 10_000_000 else {
                throw EngineError(.invalid, "range of CPUs is from 0.01 to \(Processors.configured).00")
            }
            resources.cpu.period = 100_000
            resources.cpu.quota = cpus / 10_000
        }
        if let pids = try parsed.integer("pids-limit"), pids != 0 { resources.pidsLimit = max(pids, -1) }
        options.resources = resources
        options.oomScoreAdj = try parsed.integer("oom-score-adj").map { Int(clamping: $0) }
        if let score = options.oomScoreAdj, !(-1000...1000).contains(score) {
            throw EngineError(.invalid, "Invalid value \(score), range for oom score adj is [-1000, 1000]")
        }
        options.limits = try limits(parsed)
    }

    /// The daemon's rules, whose 0 is "as usual".
    private static func addCPU(_ parsed: ParsedArguments, to cpu: inout LinuxResources.CPU) throws {
        if let shares = try parsed.integer("cpu-shares"), shares != 0 {
            guard shares > 0 else {
                throw EngineError(.invalid, "invalid CPU shares (\(shares)): value must be a positive integer")
            }
            cpu.shares = UInt64(shares)
        }
        if let period = try parsed.integer("cpu-period"), period != 0 {
            guard (1000...1_000_000).contains(period) else {
                throw EngineError(
                    .invalid,
                    "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)"
                )
            }
            cpu.period = UInt64(period)
        }
        if let quota = try parsed.integer("cpu-quota"), quota != 0 {
            guard quota < 0 || quota >= 1000 else {
                throw EngineError(.invalid, "CPU cfs quota can not be less than 1ms (i.e. 1000)")
            }
            cpu.quota = max(quota, -1)
        }
        cpu.cpus = try parsed.value("cpuset-cpus").map { text throws(EngineError) in try list(text, "cpus") }
        cpu.mems = try parsed.value("cpuset-mems").map { text throws(EngineError) in try list(text, "mems") }
    }

    /// An empty list is none: the machine's.
    private static func list(_ text: String, _ kind: String) throws(EngineError) -> String {
        if (try? NumberRanges(text)) == nil { throw EngineError(.invalid, "Invalid value \(text) for cpuset \(kind)") }
        return text
    }

    /// `--ulimit`
    static func limits(_ parsed: ParsedArguments) throws -> [RuntimeSpec.ResourceLimit] {
        var limits: [RuntimeSpec.ResourceLimit] = []
        for text in parsed.values("ulimit") {
            let limit = try Ulimit(parsing: text)
            let type = "RLIMIT_" + limit.name.uppercased()
            // The last one of a kind counts.
            limits.removeAll { $0.type == type }
            limits.append(
                RuntimeSpec.ResourceLimit(
                    type: type,
                    soft: UInt64(bitPattern: limit.soft),
                    hard: UInt64(bitPattern: limit.hard)
                )
            )
        }
        return limits
    }

    /// docker's rules for the memory options, and its default: twice the limit with swap.
    private static func check(_ memory: inout LinuxResources.Memory) throws(EngineError) {
        if memory.limit == 0 { memory.limit = nil }
        if memory.swap == 0 { memory.swap = nil }
        guard let limit = memory.limit else {
            if let swap = memory.swap, swap > 0 {
                throw EngineError(
                    .invalid,
                    "You should always set the Memory limit when using Memoryswap limit, see usage"
                )
            }
            return
        }
        if limit < 6 << 20 { throw EngineError(.invalid, "Minimum memory limit allowed is 6MB") }
        if let swap = memory.swap, swap >= 0, swap < limit {
            throw EngineError(.invalid, "Minimum memoryswap limit should be larger than memory limit, see usage")
        }
        if let reservation = memory.reservation, reservation > limit {
            throw EngineError(.invalid, "Minimum memory limit can not be less than memory reservation limit, see usage")
        }
        if memory.swap == nil { memory.swap = limit > .max / 2 ? .max : 2 * limit }
    }
}
