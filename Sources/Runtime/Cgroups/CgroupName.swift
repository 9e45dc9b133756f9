import OCI

/// A cgroup's place below the root of each hierarchy: folders above it, and its own.
///
/// minirun's containers are `/minirun/<id>` from each hierarchy's root, as docker's cgroupfs driver places them. In a
/// container whose cgroup mounts show only its own part of the tree, that root is the container's own cgroup.
package struct CgroupName: Equatable, Sendable {
    /// The folders above, outermost first.
    package let parents: [String]
    package let leaf: String
    /// Whether folders above that are left empty go too: true only for folders that belong to minirun alone.
    package let removesParents: Bool

    /// `/minirun/<id>`.
    package init(container id: String) throws(EngineError) {
        try self.init("minirun/\(id)", removesParents: true)
    }

    /// A path of the caller's (`--cgroup-parent`, `linux.cgroupsPath`), relative to the root of each hierarchy.
    package init(_ path: String, removesParents: Bool = false) throws(EngineError) {
        var parts = path.split(separator: "/").map(String.init)
        let isSafe = parts.allSatisfy { part in
            part != "." && part != ".." && !part.utf8.contains { $0 < 0x20 || $0 == 0x7F }
        }
        guard isSafe, let last = parts.popLast() else {
            throw EngineError(.invalid, "\"\(path)\" is no name for a cgroup")
        }
        parents = parts
        leaf = last
        self.removesParents = removesParents
    }

    package var path: String { (parents + [leaf]).joined(separator: "/") }

    /// The cgroup's folder in a hierarchy.
    package func directory(in root: String) -> String { "\(root)/\(path)" }

    /// The folders above it in a hierarchy, outermost first, without the root.
    package func parentDirectories(in root: String) -> [String] {
        var directory = root
        return parents.map { part in
            directory += "/\(part)"
            return directory
        }
    }
}
