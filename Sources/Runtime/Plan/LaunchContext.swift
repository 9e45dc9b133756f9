import OCI

/// What a plan is made of beside the container's specification: facts of this host, this engine, and its caller's wishes.
package struct LaunchContext: Sendable {
    /// Where the root file system comes from.
    package enum Root: Sendable {
        /// An overlay of unpacked layers, the top first. Without an upper folder it is read-only.
        case overlay(layers: [String], upper: String, work: String, mountPoint: String, options: String)
        case folder(String)
    }

    package var root: Root
    package var rootChange = RootChange.pivot
    /// The mount on which the root's folder lies, where it would hand mounts on to the host (a shared rootfsPropagation).
    package var privateMountPoint: String?
    /// How the process gets into its cgroup.
    package var cgroupEntries: [CgroupPlan.Entry] = []
    /// The cgroup is made before the launch: the process enters it first, so that hooks find it there.
    package var cgroupIsReady = false
    /// What a mount of type "cgroup" stands for on this host.
    package var cgroupMounts: [CgroupFileSystem] = []
    package var seccomp: SeccompFilter?
    /// The shim stays as pid 1 and passes signals on.
    package var initProcess = false
    /// Sources of `-v` binds that are created when they are missing.
    package var makeSources: Set<String> = []
    /// Sources of binds that, while they are empty, are filled with what the root has at their target: docker's volumes.
    package var copiedUp: Set<String> = []

    /// The caller of `oci` answers for what it hands on as standard streams.
    package var inheritsStreams = false
    package var newKeyring = true
    /// The program's line feeds come out of its terminal as they are: the caller's terminal makes new lines of them, as with runc,
    /// and callers that read from a pipe see no carriage returns.
    package var keepsLineFeeds = false
    /// The caller's terminal, where the configuration has no size.
    package var callerSize: (width: UInt16, height: UInt16)?
    /// How many of the caller's descriptors, from 3 on, the program gets.
    package var preservedDescriptors = 0
    /// The index of the listening socket on which the process waits for `start`; it comes with the plan.
    package var startDescriptor: Int?
    /// HOME comes from the container's own /etc/passwd where the environment has none.
    package var findsHome = false
    /// The program is looked for before the container counts as created: what fails after that is its execution.
    package var findsProgram = false
    /// A caller that is bound to processors does not bind the container: what its cgroup allows is the container's.
    package var unbindsProcessors = false
    /// The caller may open mount sources for a container before its namespaces are made, as root may.
    package var opensSources = true
    /// A bind with any attribute has no other, as mount(2) has it; else those that the source has stay.
    package var clearsAttributes = false
    /// The state for the standard input of hooks, while the container is being created, and when it is started.
    package var hookStates: (creating: [UInt8], created: [UInt8]) = ([], [])
    /// setgroups(2) is allowed in the container's user namespace.
    package var setsGroups = true
    /// An LSM's label for the program, as `attribute` steps take it.
    package var labels: [(file: String, value: String)] = []

    package init(root: Root) { self.root = root }
}

/// One file system below /sys/fs/cgroup in a container. An empty name is the unified hierarchy, mounted on the folder itself.
package struct CgroupFileSystem: Equatable, Sendable {
    package var type: String
    package var name: String
    package var options: String
    /// Further names that lead to it: `cpu` and `cpuacct` for a hierarchy that holds both.
    package var links: [String]
    /// The container's own folder in it: what is bound where the container has the host's cgroup namespace, as a new mount would
    /// show the whole tree.
    package var folder: String?

    package init(type: String, name: String, options: String, links: [String] = [], folder: String? = nil) {
        self.type = type
        self.name = name
        self.options = options
        self.links = links
        self.folder = folder
    }
}

extension CgroupFileSystem {
    /// What a container sees below /sys/fs/cgroup: the hierarchies in which it has a folder of its own, and no other, which
    /// would be the host's.
    package static func all(in hierarchy: CgroupHierarchy, roots: [String], name place: CgroupName)
        -> [CgroupFileSystem]
    {
        if hierarchy.mode == .unified {
            return [
                CgroupFileSystem(
                    type: "cgroup2",
                    name: "",
                    options: "",
                    folder: hierarchy.unified.map { place.directory(in: $0.directory) }
                )
            ]
        }
        return roots.compactMap { root in
            guard let mount = root.split(separator: "/").last.map(String.init) else { return nil }
            // A hierarchy without controllers, systemd's, goes by its name.
            if let name = hierarchy.named.first(where: { $0.value == root })?.key {
                return CgroupFileSystem(
                    type: "cgroup",
                    name: mount,
                    options: "none,name=\(name)",
                    folder: place.directory(in: root)
                )
            }
            let controllers = hierarchy.mounts.filter { $0.value == root }.map(\.key.rawValue).sorted()
            guard !controllers.isEmpty else { return nil }
            return CgroupFileSystem(
                type: "cgroup",
                name: mount,
                options: controllers.joined(separator: ","),
                links: controllers.filter { $0 != mount },
                folder: place.directory(in: root)
            )
        }
    }
}
