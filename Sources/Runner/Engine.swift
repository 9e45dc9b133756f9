import Images
import LinuxSystem
import OCI
import Runtime

/// One installation of minirun on this machine: its store, its containers, its shim. Every command works through one of
/// these; nothing of it stays in memory afterwards.
package struct Engine: Sendable {
    package static let standardRoot = "/var/lib/minirun"
    package static let standardState = "/run/minirun"

    package var images: ImageStore
    package let containers: ContainerStore
    /// The folder for what a reboot ends.
    package let state: String
    /// The shim's path.
    package let shim: String
    /// Told what did not work and did not keep a command from its work.
    package var warn: @Sendable (String) -> Void = { _ in }
    /// Told what is being done, step by step; nil where nobody asks, and then no text is made of it.
    package var debugOutput: (@Sendable (String) -> Void)?

    /// Where images come from that are not here; nil where none may be asked for.
    package var source: ImageSource?

    /// Opens the store, creating it the first time.
    ///
    /// - Parameter driver: what new layers become.
    package init(
        root: String = standardRoot,
        state: String = standardState,
        shim: String,
        driver: StorageDriver = .dir
    ) throws {
        self.state = Files.absolute(state)
        var images = try ImageStore(root: root, mounts: "\(self.state)/layers")
        images.driver = driver
        self.images = images
        containers = ContainerStore(root: images.root, state: self.state)
        self.shim = shim
    }

    /// Cleans up after engines that were killed. Every command that changes something begins with it.
    package func recover() throws {
        try Files.makeDirectories(state, mode: 0o711)
        // Only looked up when there is something to clean: reading the mount table costs more than the whole check.
        var hierarchy: CgroupHierarchy?
        try containers.recover { id in
            let found = try hierarchy ?? CgroupHierarchy.current()
            hierarchy = found
            // A second is enough for processes that die; one in an uninterruptible sleep is for a later command.
            debug("container \(id.prefix(12)) has lost its engine: removing what it left")
            try Cgroup(CgroupName(container: id), in: found).remove(timeout: 1000)
            // Its engine may have been a build, which leaves more than its container.
            try images.sweep()
        } failed: { id, error in
            warn("container \(id.prefix(12)) could not be cleaned up: \(error)")
        }
    }

    /// Removes a container that does not run.
    package func remove(_ container: ContainerRecord) throws { try containers.remove(container) }

    /// The pid on the host of a container's first process, 0 where it does not run. Looked up rather than recorded: a pid that
    /// was written down may be another's by now.
    package func pid(of container: ContainerRecord) throws -> Int32 {
        guard container.status == .running else { return 0 }
        return try Cgroup(CgroupName(container: container.id), in: .current()).firstProcess() ?? 0
    }

    func debug(_ message: @autoclosure () -> String) { debugOutput?(message()) }

    /// All containers whose records can be read, for lists; of the others a warning tells.
    package func readableContainers() throws -> [ContainerRecord] {
        try containers.all { _, error in warn("\(error)") }
    }

    /// The chain ids and image ids that containers need: a collection keeps them.
    package func containerRoots() throws -> (layers: Set<Digest>, images: Set<Digest>) {
        // Containers that are not known here need theirs, too.
        try containers.checkState()
        return try containerRoots(of: containers.all())
    }

    /// The same for some containers; not for removing what is not among them.
    package func containerRoots(of records: [ContainerRecord]) throws -> (layers: Set<Digest>, images: Set<Digest>) {
        var layers: Set<Digest> = []
        var images: Set<Digest> = []
        for record in records {
            for text in record.layers { layers.insert(try Digest(text)) }
            if let id = try? Digest(record.imageID) { images.insert(id) }
        }
        return (layers, images)
    }
}
