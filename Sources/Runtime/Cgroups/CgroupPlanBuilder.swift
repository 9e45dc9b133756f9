import OCI

/// Collects a plan's parts: which hierarchies are needed, what has to be made available in them, and the writes in
/// order.
struct CgroupPlanBuilder {
    typealias Limit = CgroupPlan.Limit

    let name: CgroupName
    let hierarchy: CgroupHierarchy
    private(set) var roots: [String] = []
    private var enabled: [CgroupPlan.EnabledController] = []
    private var cpusetRoot: String?
    private var steps: [CgroupPlan.Step] = []
    var warnings: [String] = []

    init(name: CgroupName, hierarchy: CgroupHierarchy) {
        self.name = name
        self.hierarchy = hierarchy
        // Where there is only one hierarchy every container has its folder: it can then be killed by one write.
        if hierarchy.mode == .unified, let root = hierarchy.unified?.directory { roots = [root] }
    }

    /// What must hold before the first limit is written comes first.
    var allSteps: [CgroupPlan.Step] { enabling + inheriting + steps }

    /// Controllers are made available from the top down, each folder to those below it.
    private var enabling: [CgroupPlan.Step] {
        guard let root = hierarchy.unified?.directory, !enabled.isEmpty else { return [] }
        return ([root] + name.parentDirectories(in: root)).map { .enable(enabled, in: $0) }
    }

    private var inheriting: [CgroupPlan.Step] {
        guard let cpusetRoot else { return [] }
        var above = cpusetRoot
        return (name.parentDirectories(in: cpusetRoot) + [name.directory(in: cpusetRoot)]).map { directory in
            defer { above = directory }
            return .inheritCPUSet(directory: directory, from: above)
        }
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

    /// Where a limit's files are; throws where there is no such controller.
    mutating func place(_ limit: Limit, _ controller: CgroupController) throws(EngineError) -> Place {
        if let root = hierarchy.mounts[controller] {
            useMounted(controller, root)
            return Place(directory: name.directory(in: root), isUnified: false)
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
        let candidates = files.map { CgroupPlan.Candidate("\(place.directory)/\($0.name)", $0.value) }
        steps.append(.write(CgroupPlan.Write(limit: limit, candidates: candidates, ifMissing: ifMissing)))
    }

    /// The device filter: the v1 controller where there is one, else a program on the v2 cgroup. None for a container
    /// that may use every device.
    mutating func filterDevices(_ rules: [LinuxResources.DeviceRule]) throws(EngineError) {
        let policy = try DevicePolicy(rules + LinuxResources.DeviceRule.runtimeDefaults)
        guard !policy.isUnrestricted else { return }
        let limit = Limit("the device rules", .devices)
        if hierarchy.mounts[.devices] == nil, let unified = hierarchy.unified {
            useRoot(unified.directory)
            steps.append(.filterDevices(DeviceProgram(policy), in: name.directory(in: unified.directory)))
            return
        }
        let place = try place(limit, .devices)
        write(limit, place, policy.allowsByDefault ? "devices.allow" : "devices.deny", "a")
        for exception in policy.exceptions {
            write(limit, place, policy.allowsByDefault ? "devices.deny" : "devices.allow", exception.text)
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
