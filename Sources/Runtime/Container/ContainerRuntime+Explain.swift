import LinuxSystem
import OCI

extension ContainerRuntime {
    /// What `create` and `start` would do.
    package struct Explanation: Sendable {
        package let spec: RuntimeSpec
        package let cgroup: CgroupPlan
        /// What happens on the host, as far as the clone of the process.
        package let preparation: LaunchPlan
        /// What the process does.
        package let plan: LaunchPlan
    }

    /// Decides all that `create` decides and does none of it. Reads the bundle and this host, for which nobody needs to be root.
    package func explain(_ request: CreateRequest) throws -> Explanation {
        var spec = try ContainerRuntime.specification(of: request)
        try spec.validate()
        _ = try folder(request.id)
        try prepare(&spec, request)
        let hierarchy = try CgroupHierarchy.current()
        let placement = try CgroupPlacement(
            cgroupsPath: spec.linux.cgroupsPath,
            id: request.id,
            systemd: usesSystemd,
            hierarchy: hierarchy
        )
        let cgroup = try CgroupPlan(placement, in: hierarchy, resources: spec.linux.resources)
        for warning in cgroup.warnings { warn(warning) }
        var context = try createContext(for: &spec, request)
        if placement.unit == nil { context.cgroupEntries = cgroup.entries }
        context.cgroupMounts = CgroupFileSystem.all(in: hierarchy, roots: cgroup.roots, name: cgroup.name)
        return Explanation(
            spec: spec,
            cgroup: cgroup,
            preparation: try LaunchPlan(preparing: spec, in: context),
            plan: try LaunchPlan(spec, in: context)
        )
    }
}

extension ContainerRuntime.Explanation {
    package var text: String {
        "cgroup:\n" + cgroup.text.split(separator: "\n").map { "  \($0)\n" }.joined() + "preparation:\n"
            + preparation.text + "launch:\n" + plan.text
    }

    package var json: JSON {
        [
            "spec": spec.json, "cgroup": .strings(cgroup.text.split(separator: "\n").map(String.init)),
            "preparation": preparation.json, "launch": plan.json,
        ]
    }
}
