import Images
import LinuxSystem
import OCI
import Runtime

extension Engine {
    /// Makes a container and does not start it.
    ///
    /// - Parameters:
    ///   - events: what the store does first, if layers have to be unpacked.
    ///   - missing: called before an image is pulled because it is not here.
    ///   - created: called with the id; where it throws there is no container.
    package func create(
        _ request: RunRequest,
        events: (StoreEvent) -> Void = { _ in },
        missing: (ImageReference) -> Void = { _ in },
        created: (String) throws -> Void = { _ in }
    ) throws -> ContainerRecord {
        try recover()
        let id = try ContainerName.newID()
        // Held until the container's record names its layers: nothing is collected in between.
        let lease = try images.lease()
        let image = try image(request.image, platform: request.platform, pull: request.pull, missing: missing)
        let layers = try images.unpackedLayers(of: image.content, events: events)
        // The name stays on the disk also of one that is removed at its end: that may be long from now.
        let claim = try containers.claim(id: id, name: request.options.name, removedAtEnd: false)
        do {
            let record = try record(of: request, image, id: id, name: claim.name)
            // What could not be started is not created.
            let prepared = try prepare(record, layers, hierarchy: .current())
            try created(id)
            try makeFolders(of: record, prepared)
            try containers.create(record)
            try containers.sync(record)
            try containers.release(claim)
            _ = consume lease
            return record
        } catch {
            try containers.remove(claim)
            throw error
        }
    }

    /// The container that a request comes to.
    func record(of request: RunRequest, _ image: RunnableImage, id: String, name: String) throws -> ContainerRecord {
        let configuration = image.content.configuration
        var record = ContainerRecord(
            id: id,
            name: name,
            created: Clock.realtime,
            imageName: request.image,
            imageID: image.id.description,
            layers: ImageStore.chainID(configuration.diffIDs).map(\.description),
            imageConfiguration: configuration.config,
            options: request.options
        )
        // The name that the host has now stays the container's.
        if record.options.network == .host, record.options.hostname == nil {
            record.options.hostname = try ContainerSpec.Host.current().hostname
        }
        return record
    }

    /// Decides what a container gets, from its record.
    func prepare(
        _ record: ContainerRecord,
        _ layers: LayerStack,
        hierarchy: CgroupHierarchy,
        reports: Bool = false
    ) throws -> PreparedRun {
        let options = record.options
        var surroundings = PreparedRun.Surroundings(
            id: record.id,
            folder: containers.bundle(record.id, removedAtEnd: record.removeAtEnd),
            layers: try containerLayers(of: record, layers),
            host: try .current(withDevices: options.privileged),
            hierarchy: hierarchy
        )
        surroundings.dataFolder = containers.folder(record.id)
        surroundings.filterCache = "\(state)/seccomp"
        if reports { surroundings.controllers = [.memory, .cpuacct, .blkio, .pids] }
        // A privileged container may manage what it sees: all of it, as with docker.
        if options.privileged { surroundings.controllers = Set(CgroupController.allCases) }
        if options.terminal, let size = Terminal.size(1) ?? Terminal.size(0) {
            surroundings.consoleSize = (UInt16(clamping: size.columns), UInt16(clamping: size.rows))
        }
        return try PreparedRun(record.imageConfiguration, options, in: surroundings) { path in
            try layers.read(path, limit: UserDatabase.fileLimit)
        }
    }

    /// What the container's own files lie on. An image that has as many layers as the kernel stacks goes without the init layer: its
    /// mount points then show in the container's own.
    private func containerLayers(of record: ContainerRecord, _ layers: LayerStack) throws -> [String] {
        guard layers.directories.count < LaunchPlan.mostLayers else { return layers.directories }
        return [try initLayer(of: record, layers)] + layers.directories
    }

    private func initLayer(of record: ContainerRecord, _ layers: LayerStack) throws -> String {
        let top = try record.layers.last.map { images.layerPath(try Digest($0)) }
        // An image without layers: the mount points are all that it has.
        let folder = top ?? "\(images.root)/layers/none"
        if top == nil { try Files.makeDirectories(folder, mode: 0o700) }
        return try InitLayer.folder(in: folder, over: layers)
    }

    /// The container's folders with the bundle's parts and the engine's three files.
    func makeFolders(of record: ContainerRecord, _ prepared: PreparedRun) throws {
        let bundle = containers.bundle(record.id, removedAtEnd: record.removeAtEnd)
        let data = containers.folder(record.id)
        try Files.makeDirectories(bundle, mode: 0o700)
        try Files.makeDirectories(data, mode: 0o700)
        for folder in ["\(bundle)/rootfs", "\(data)/upper", "\(data)/work"] + prepared.volumes.map(\.source) {
            try Files.makeDirectories(folder)
        }
        let options = record.options
        let hostname = prepared.spec.hostname ?? ""
        let host = options.network == .host ? try? Files.readText("/etc/hosts") : nil
        let hosts = NetworkFiles.hosts(
            of: NetworkFiles.names(hostname: hostname, domainname: options.domainname, container: record.name),
            host: host,
            added: options.addedHosts,
            gateway: NetworkFiles.gateway(for: options)
        )
        try NetworkFiles.write(in: bundle, hostname: hostname, hosts: hosts.rawBytes, options: options)
    }
}
