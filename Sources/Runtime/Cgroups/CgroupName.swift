import OCI

/// A cgroup's place in each hierarchy: folders above it, and its own.
///
/// minirun's containers are `/minirun/<id>` from each hierarchy's root, as docker's cgroupfs driver places them. In a
/// container whose cgroup mounts show only its own part of the tree, that root is the container's own cgroup.
package struct CgroupName: Equatable, Sendable {
    /// The folders above, outermost first.
    package let parents: [String]
    package let leaf: String
    /// Whether folders above that are left empty go too: true only for folders that belong to minirun alone.
    package let removesParents: Bool
    /// What lies above `parents` in a hierarchy, by the hierarchy's folder: "/user.slice" for a name that is relative
    /// to the caller's place in it. Without an entry `parents` begin at the root.
    package let bases: [String: String]

    /// `/minirun/<id>`.
    package init(container id: String) throws(EngineError) {
        try self.init("minirun/\(id)", removesParents: true)
    }

    /// A path of the caller's (`--cgroup-parent`, `linux.cgroupsPath`), relative to the root of each hierarchy or to
    /// what `bases` says.
    package init(_ path: String, removesParents: Bool = false, bases: [String: String] = [:]) throws(EngineError) {
        var parts = path.split(separator: "/").map(String.init)
        let above = bases.values.flatMap { $0.split(separator: "/").map(String.init) }
        let isSafe = (parts + above).allSatisfy { part in
            part != "." && part != ".." && !part.utf8.contains { $0 < 0x20 || $0 == 0x7F }
        }
        guard isSafe, let last = parts.popLast() else {
            throw EngineError(.invalid, "\"\(path)\" is no name for a cgroup")
        }
        parents = parts
        leaf = last
        self.removesParents = removesParents
        self.bases = bases.filter { $0.value != "/" && !$0.value.isEmpty }
    }

    /// Without what `bases` adds.
    package var path: String { (parents + [leaf]).joined(separator: "/") }

    /// The cgroup's folder in a hierarchy.
    package func directory(in root: String) -> String { "\(root)\(bases[root] ?? "")/\(path)" }

    /// The folders of `parents` in a hierarchy, outermost first.
    package func parentDirectories(in root: String) -> [String] {
        var directory = base(in: root)
        return parents.map { part in
            directory += "/\(part)"
            return directory
        }
    }

    /// The folder in which `parents` begin.
    func base(in root: String) -> String { root + (bases[root] ?? "") }

    /// Every folder above the cgroup's, from the hierarchy's own on.
    func ancestors(in root: String) -> [String] {
        var directory = root
        let above = (bases[root] ?? "").split(separator: "/").map { part in
            directory += "/\(part)"
            return directory
        }
        return [root] + above + parentDirectories(in: root)
    }
}

extension CgroupName {
    /// For a container's state file: a name that was relative to its creator's cgroup means the same place later.
    package var json: JSON {
        [
            "path": .string(path), "removesParents": .bool(removesParents),
            "bases": .object(bases.sorted { $0.key < $1.key }.map { (key: $0.key, value: .string($0.value)) }),
        ]
    }

    package init(_ json: JSON) throws(EngineError) {
        guard let path = json["path"]?.string else { throw EngineError(.corrupt, "a cgroup without a path") }
        var bases: [String: String] = [:]
        for (root, base) in json["bases"]?.object ?? [] { bases[root] = base.string }
        try self.init(path, removesParents: json["removesParents"]?.bool ?? false, bases: bases)
    }
}
