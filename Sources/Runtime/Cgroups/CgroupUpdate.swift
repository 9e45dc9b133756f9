import LinuxSystem
import OCI

/// What is to be written to change a running container's limits (`update`). A pure value, as `CgroupPlan` is.
package struct CgroupUpdate: Equatable, Sendable {
    package let steps: [CgroupPlan.Step]
    package let warnings: [String]

    /// - Parameters:
    ///   - changes: only what is set here is written.
    ///   - known: what the container was given until now, as its configuration has it. cgroup v2 keeps swap apart from
    ///     memory, so that a change of one of them needs the other.
    ///   - present: a file of the cgroup's as it is now, nil where there is none.
    package init(
        _ name: CgroupName,
        in hierarchy: CgroupHierarchy,
        changes: LinuxResources,
        known: LinuxResources? = nil,
        present: @escaping (String) -> String?
    ) throws(EngineError) {
        var builder = CgroupPlanBuilder(name: name, hierarchy: hierarchy, purpose: .update, present: present)
        try builder.add(changes, known: known)
        steps = builder.allSteps
        warnings = builder.warnings
    }

    package var text: String { (steps.map(\.text) + warnings.map { "warning: \($0)" }).joined(separator: "\n") }
}

extension Cgroup {
    /// Changes the limits of a cgroup that exists: what `changes` does not mention stays as it is, device rules
    /// included.
    ///
    /// The writes are in an order that the kernel accepts, whether limits rise or fall. If one is refused those before
    /// it have been made.
    ///
    /// - Parameters:
    ///   - known: what the container was given until now (see `CgroupUpdate`).
    ///   - unit: systemd's, which is told first: it writes what it keeps in its own roundings.
    /// - Returns: warnings for the user.
    @discardableResult
    package func update(
        _ changes: LinuxResources,
        known: LinuxResources? = nil,
        unit: SystemdUnit? = nil
    ) throws -> [String] {
        let update = try CgroupUpdate(
            name,
            in: hierarchy,
            changes: unit?.rounding(changes, known: known) ?? changes,
            known: known
        ) { file in try? Files.readText(file) }
        // A limit that is refused for what is in use would kill by way of systemd too.
        try unit?.set(changes, known: known)
        var writer = CgroupWriter(hierarchy: hierarchy, purpose: .update)
        for step in update.steps { try writer.carryOut(step) }
        return update.warnings
    }
}
