import LinuxSystem
import OCI

/// Where an OCI container's cgroup is: what `linux.cgroupsPath` says, read as runc reads it
/// (config-linux.md#cgroups-path; runc, docs/systemd.md).
///
/// Without systemd, an absolute path begins at each hierarchy's root. A relative one begins at the caller's own cgroup
/// on v1, and beside the caller's own cgroup on v2, where a cgroup with processes cannot have limited cgroups below it.
/// A missing one is the container's id as a relative path. Parts such as ".." are resolved as text and never lead out.
///
/// With systemd it is `slice:prefix:name`, and the container is in the unit `prefix-name.scope` of the slice, or in
/// `name` itself if that ends in ".slice". Missing, it is `:minirun:ID`.
package struct CgroupPlacement: Equatable, Sendable {
    package let name: CgroupName
    /// Nil without systemd.
    package let unit: SystemdUnit?
    /// Whether the caller chose the place. One that it did not choose may be left out where the caller is not allowed
    /// to make cgroups and asks for no limits.
    package let isChosen: Bool

    /// - Parameters:
    ///   - isRootless: whether systemd's user manager is asked, instead of the machine's.
    ///   - userManager: the cgroup of that user manager below the root,
    ///     "/user.slice/user-1000.slice/user@1000.service".
    package init(
        cgroupsPath: String?,
        id: String,
        systemd: Bool,
        hierarchy: CgroupHierarchy,
        isRootless: Bool = Rootless.isCaller,
        userManager: () throws(EngineError) -> String = SystemdUnit.userManagerCgroup
    ) throws(EngineError) {
        let path = cgroupsPath ?? ""
        isChosen = !path.isEmpty
        if systemd {
            let parts = try SystemdPlace(cgroupsPath: path, id: id, isRootless: isRootless)
            if isRootless, hierarchy.mode != .unified {
                throw EngineError(.unsupported, "cannot use rootless systemd cgroups manager on cgroup v1")
            }
            let above = isRootless ? try userManager() : ""
            let name = try CgroupName("\(above)\(parts.slicePath)/\(parts.unit)")
            self.name = name
            unit = SystemdUnit(
                name: parts.unit,
                slice: parts.slice,
                isUserManager: isRootless,
                isUnified: hierarchy.mode == .unified
            )
            return
        }
        unit = nil
        let cleaned = Files.absolute("/" + (path.isEmpty ? id : path))
        let isAbsolute = path.isAbsolutePath
        name = try CgroupName(cleaned, bases: isAbsolute ? [:] : CgroupPlacement.ownPlaces(in: hierarchy))
    }

    /// Where relative names begin.
    private static func ownPlaces(in hierarchy: CgroupHierarchy) throws(EngineError) -> [String: String] {
        guard hierarchy.mode == .unified, let unified = hierarchy.unified else {
            for root in hierarchy.directories where root != hierarchy.unified?.directory {
                if hierarchy.ownPaths[root] == nil {
                    throw EngineError(.unsupported, "the caller's own cgroup is not below \(root)")
                }
            }
            // On a hybrid machine runc places them at v2's root.
            return hierarchy.ownPaths
        }
        guard let own = hierarchy.ownPath else { throw EngineError(.unsupported, "cgroup path not found") }
        return [unified.directory: Files.parent(of: own)]
    }
}

extension CgroupPlacement {
    /// For a container's state file.
    package var json: JSON {
        var members: [(key: String, value: JSON)] = [
            (key: "name", value: name.json), (key: "isChosen", value: .bool(isChosen)),
        ]
        if let unit { members.append((key: "unit", value: unit.json)) }
        return .object(members)
    }

    package init(_ json: JSON) throws(EngineError) {
        guard let name = json["name"] else { throw EngineError(.corrupt, "a cgroup without a name") }
        self.name = try CgroupName(name)
        isChosen = json["isChosen"]?.bool ?? true
        if let unit = json["unit"] { self.unit = try SystemdUnit(unit) } else { unit = nil }
    }
}
