import OCI

/// Collects a plan's parts: which hierarchies are needed, what has to be made available in them, and the writes in
/// order.
struct CgroupPlanBuilder {
    typealias Limit = CgroupPlan.Limit

    enum Purpose {
        /// A fresh cgroup: what it has by itself is not written, such as "no limit".
        case run
        /// An OCI container's, which may have existed: everything that was asked for is written.
        case create
        /// Changes to a running container's: what is written may depend on what is there.
        case update
    }

    let name: CgroupName
    let hierarchy: CgroupHierarchy
    let purpose: Purpose
    /// A file of the cgroup as it is now; nil where there is none.
    let present: (String) -> String?
    private(set) var roots: [String] = []
    private var enabled: [CgroupPlan.EnabledController] = []
    private var cpusetRoot: String?
    private var steps: [CgroupPlan.Step] = []
    var warnings: [String] = []

    init(
        name: CgroupName,
        hierarchy: CgroupHierarchy,
        purpose: Purpose = .run,
        present: @escaping (String) -> String? = { _ in nil }
    ) {
        self.name = name
        self.hierarchy = hierarchy
        self.purpose = purpose
        self.present = present
        // Where there is only one hierarchy every container has its folder: it can then be killed by one write.
        if hierarchy.mode == .unified, let root = hierarchy.unified?.directory { roots = [root] }
    }

    /// What must hold before the first limit is written comes first.
    var allSteps: [CgroupPlan.Step] { enabling + inheriting + steps }

    /// Controllers are made available from the top down, each folder to those below it.
    private var enabling: [CgroupPlan.Step] {
        guard let root = hierarchy.unified?.directory, !enabled.isEmpty else { return [] }
        return name.ancestors(in: root).map { .enable(enabled, in: $0) }
    }

    private var inheriting: [CgroupPlan.Step] {
        guard let cpusetRoot, purpose != .update else { return [] }
        var above = name.base(in: cpusetRoot)
        return (name.parentDirectories(in: cpusetRoot) + [name.directory(in: cpusetRoot)]).map { directory in
            defer { above = directory }
            return .inheritCPUSet(directory: directory, from: above)
        }
    }

    /// A limit by docker's option, which an OCI runtime's caller knows under the specification's name.
    func limit(_ option: String, _ controller: CgroupController?) -> Limit {
        Limit(purpose == .run ? option : Limit.specificationKeys[option] ?? option, controller)
    }

    /// Puts the container into every hierarchy, on v2 under every controller that there is.
    mutating func useEverything() {
        for root in hierarchy.directories { useRoot(root) }
        cpusetRoot = hierarchy.mounts[.cpuset]
        for controller in (hierarchy.unified?.controllers ?? []).sorted() { enable(controller, for: nil) }
    }

    /// Puts the container under a controller if there is one, without a limit.
    mutating func use(_ controller: CgroupController) {
        if let root = hierarchy.mounts[controller] { return useMounted(controller, root) }
        guard let unified = hierarchy.unified else { return }
        switch controller {
        case .cpuacct, .freezer: useRoot(unified.directory)  // v2 always counts and can always freeze
        default:
            guard let name = controller.unifiedName, unified.controllers?.contains(name) ?? true else { return }
            useRoot(unified.directory)
            enable(name, for: nil)
        }
    }

    /// Where a limit's files are; throws where there is no such controller, or where a container that exists is not in
    /// its hierarchy.
    mutating func place(_ limit: Limit, _ controller: CgroupController) throws(EngineError) -> Place {
        if let root = hierarchy.mounts[controller] {
            useMounted(controller, root)
            let directory = name.directory(in: root)
            if purpose == .update, present("\(directory)/tasks") == nil {
                throw limit.error(.unsupported, "the container has no cgroup in \(root)")
            }
            return Place(directory: directory, isUnified: false)
        }
        guard let name = controller.unifiedName else { throw limit.unavailable }
        return try placeUnified(limit, controller: name)
    }

    /// The same for a controller of cgroup v2, by its name there.
    mutating func placeUnified(_ limit: Limit, controller: String) throws(EngineError) -> Place {
        guard let unified = hierarchy.unified, unified.controllers?.contains(controller) ?? true else {
            throw limit.unavailable
        }
        useRoot(unified.directory)
        enable(controller, for: limit)
        return Place(directory: name.directory(in: unified.directory), isUnified: true)
    }

    /// The cgroup itself on v2, for files that need no controller.
    mutating func placeOfCgroup(_ limit: Limit) throws(EngineError) -> Place {
        guard let unified = hierarchy.unified else { throw limit.unavailable }
        useRoot(unified.directory)
        return Place(directory: name.directory(in: unified.directory), isUnified: true)
    }

    struct Place {
        let directory: String
        let isUnified: Bool
    }

    /// Adds the write of one file.
    mutating func write(
        _ limit: Limit,
        _ place: Place,
        _ file: String,
        _ value: some CustomStringConvertible,
        ifMissing: CgroupPlan.Missing = .isAnError
    ) {
        write(limit, place, [(file, value.description)], ifMissing: ifMissing)
    }

    /// Adds the write of whichever of the files exists.
    mutating func write(
        _ limit: Limit,
        _ place: Place,
        _ files: [(name: String, value: String)],
        ifMissing: CgroupPlan.Missing = .isAnError
    ) {
        steps.append(.write(one(limit, place, files, ifMissing: ifMissing)))
    }

    /// Adds writes that bound one another. A fresh cgroup takes them in the order in which they stand.
    mutating func settle(_ writes: [CgroupPlan.Write]) {
        if purpose == .run || writes.count < 2 {
            steps += writes.map { .write($0) }
        } else {
            steps.append(.settle(writes))
        }
    }

    func one(
        _ limit: Limit,
        _ place: Place,
        _ files: [(name: String, value: String)],
        ifMissing: CgroupPlan.Missing = .isAnError
    ) -> CgroupPlan.Write {
        let candidates = files.map { CgroupPlan.Candidate("\(place.directory)/\($0.name)", $0.value) }
        return CgroupPlan.Write(limit: limit, candidates: candidates, ifMissing: ifMissing)
    }

    func one(
        _ limit: Limit,
        _ place: Place,
        _ file: String,
        _ value: some CustomStringConvertible,
        ifMissing: CgroupPlan.Missing = .isAnError
    ) -> CgroupPlan.Write {
        one(limit, place, [(file, value.description)], ifMissing: ifMissing)
    }

    /// The device filter: the v1 controller where there is one, else a program on the v2 cgroup. None for a container
    /// that may use every device.
    mutating func filterDevices(_ rules: [LinuxResources.DeviceRule]) throws(EngineError) {
        let policy = try DevicePolicy(rules + LinuxResources.DeviceRule.runtimeDefaults)
        // A cgroup that existed may have a filter.
        guard !policy.isUnrestricted || purpose != .run else { return }
        let limit = limit("the device rules", .devices)
        if hierarchy.mounts[.devices] == nil, let unified = hierarchy.unified {
            useRoot(unified.directory)
            steps.append(.filterDevices(DeviceProgram(policy), in: name.directory(in: unified.directory)))
            return
        }
        let place = try place(limit, .devices)
        let list = purpose == .update ? present("\(place.directory)/devices.list") : nil
        for (isAllowed, rule) in policy.changes(from: list) {
            write(limit, place, isAllowed ? "devices.allow" : "devices.deny", rule)
        }
    }

    private mutating func useMounted(_ controller: CgroupController, _ root: String) {
        useRoot(root)
        if hierarchy.mounts[.cpuset] == root { cpusetRoot = root }
    }

    private mutating func useRoot(_ root: String) {
        if !roots.contains(root) { roots.append(root) }
    }

    private mutating func enable(_ controller: String, for limit: Limit?) {
        if let index = enabled.firstIndex(where: { $0.name == controller }) {
            guard enabled[index].limit == nil else { return }
            enabled[index] = CgroupPlan.EnabledController(name: controller, limit: limit)
        } else {
            enabled.append(CgroupPlan.EnabledController(name: controller, limit: limit))
        }
    }
}
