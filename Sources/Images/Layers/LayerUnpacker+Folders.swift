import CLinux
import LinuxSystem
import OCI

extension LayerUnpacking {
    /// What was resolved may lead elsewhere now: a name became a folder, a link, or nothing.
    func forgetResolved() { lastParent = nil }

    /// Finds the folder of this layer that a parent path means; with `create`, makes it where it is missing.
    /// - Returns: nil without `create` where the merged tree has no such folder.
    func resolve(_ parent: ArraySlice<UInt8>, create: Bool) throws -> LayerFolder? {
        if parent.isEmpty { return tree }
        if let lastParent, lastParent.path.elementsEqual(parent) { return lastParent.folder }
        var folder = tree
        var walk = PathWalk(parent)
        while let name = walk.next() {
            if name == [0x2e, 0x2e] {
                folder = folder.parent ?? tree
                continue
            }
            if let child = folder.folders[Array(name)] {
                folder = child
                continue
            }
            switch try look(up: name, in: folder, create: create) {
            case .unknown: folder = try makeDeferredFolder(name, in: folder)
            case .link(let target):
                if target.first == UInt8(ascii: "/") { folder = tree }
                try walk.follow(target)
            case .folder(let below): folder = try makeFolder(name, in: folder, like: below)
            case .nothing, .other:
                if !create { return nil }
                folder = try makeFolder(name, in: folder, like: nil)
            }
        }
        // A path through a link may mean something else after the next file: the link may come from a lower layer.
        if !walk.hasFollowed { lastParent = (Array(parent), folder) }
        return folder
    }

    private enum Looked {
        /// Nothing of this layer; of those below it is not known yet, and need not be.
        case unknown
        case link([UInt8])
        /// Of the layers below only.
        case folder(MergedNode)
        /// A file, or a whiteout of this layer.
        case other
        case nothing
    }

    /// What a name is that is no folder of this layer yet: in this layer, else in those below.
    private func look(up name: ArraySlice<UInt8>, in folder: LayerFolder, create: Bool) throws -> Looked {
        if !isSettled, deferred.hides(name, in: folder) { _ = try lower() }
        switch try form.member(name, in: folder) {
        case .link(let target): return .link(target)
        case .file, .folder, .whiteout: return .other
        case nil: break
        }
        if !isSettled {
            if create { return .unknown }
            // What is settled now may be just this name.
            _ = try lower()
            return try look(up: name, in: folder, create: create)
        }
        guard let node = try below(name, in: folder) else { return .nothing }
        switch node.status.kind {
        case .directory: return .folder(node)
        case .symbolicLink: return .link(try lower().locate(node).linkTarget())
        default: return .other
        }
    }

    /// What the layers below have under a name, unless this layer hides it with the whole folder.
    func below(_ name: some Collection<UInt8>, in folder: LayerFolder) throws -> MergedNode? {
        let lower = try lower()
        let layers = try lowerLayers(of: folder)
        if layers.isEmpty { return nil }
        return try lower.child(name, of: MergedFolder(path: folder.path, layers: layers))
    }

    /// The layers below whose folder of this path shows through.
    private func lowerLayers(of folder: LayerFolder) throws -> [Int] {
        if let layers = folder.lowerLayers { return layers }
        var layers: [Int] = []
        if !folder.isOpaque, let parent = folder.parent, let node = try below(folder.name, in: parent),
            node.status.kind == .directory
        {
            layers = node.layers
        }
        folder.lowerLayers = layers
        return layers
    }

    /// Makes a folder that has no entry (yet).
    func makeFolder(_ name: ArraySlice<UInt8>, in folder: LayerFolder, like below: MergedNode?) throws -> LayerFolder {
        if name.starts(with: WhiteoutName.prefix) { throw LayerPath.invalidWhiteout(name) }
        let child = try addFolder(name, in: folder)
        if let below, !child.isOpaque {
            child.lowerLayers = below.layers
            try form.copyMetadata(of: below, from: lower(), to: child)
        } else {
            try form.setDefaultMetadata(of: child)
        }
        return child
    }

    /// A new folder, in the place of whatever this layer has there.
    func addFolder(_ name: ArraySlice<UInt8>, in folder: LayerFolder) throws -> LayerFolder {
        let child = LayerFolder(name: Array(name), parent: folder)
        guard child.depth <= limits.tar.depth else { throw SystemError("creating folder", code: ENAMETOOLONG) }
        var replaces = false
        try replacing(name, in: folder) {
            if try form.addFolder(child, in: folder) { return true }
            replaces = true
            return false
        }
        forgetResolved()
        folder.folders[child.name] = child
        // A file or whiteout of this layer stood here: what is below it in lower layers is gone for good.
        if replaces { try makeOpaque(child) }
        return child
    }

    /// Removes what this layer has under a name: file, link or folder with all below it.
    func remove(_ name: ArraySlice<UInt8>, from folder: LayerFolder) throws {
        forgetResolved()
        folder.searched.remove(Array(name))
        try form.remove(name, from: folder)
        folder.folders[Array(name)] = nil
    }
}
