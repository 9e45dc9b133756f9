import LinuxSystem
import OCI

/// The layers below one that is being unpacked.
enum LowerLayers: Sendable {
    case finished(LayerStack)
    /// Waits until all of them are; throws where one of them has failed.
    case later(@Sendable () throws -> LayerStack)

    func stack() throws -> LayerStack {
        switch self {
        case .finished(let stack): return stack
        case .later(let wait): return try wait()
        }
    }
}

/// The archive went through a link of a layer below before that was there to be seen: it has to be unpacked again, over
/// finished layers.
struct NeedsLowerLayers: Error {}

/// A folder that the archive has no entry for: the layers below say what it is.
struct DeferredFolder {
    /// It may have been removed since, and then has no parent any more.
    let folder: LayerFolder
    let path: [[UInt8]]
}

struct Whiteout {
    let parent: [UInt8]
    let name: [UInt8]
    /// Whether the parent was a folder of this layer already; if not, it has to be one of those below.
    let isInside: Bool

    /// As the archive names it, or nearly.
    var entry: String {
        printable((parent.isEmpty ? [] : parent + [UInt8(ascii: "/")]) + WhiteoutName.prefix + name)
    }
}

/// What an unpacking leaves open while the layers below are not finished.
///
/// Layers of one image are unpacked side by side. Almost all of a layer does not depend on those below: files, links and
/// folders with an entry hide whatever is there. What does depend on them is put off:
/// - a folder on the way that has no entry (its owner, mode, time and attributes). That it is a folder, and no link that
///   leads elsewhere, is assumed, and checked at the end (`NeedsLowerLayers`);
/// - whiteouts, which spare what is in the same layer whatever their order.
///
/// Where putting off would change the result (a name that was whited out before, a hard link to a file of another layer,
/// an opaque root), the unpacking waits for the layers below and goes on with them in sight. So the layer is the same
/// whether it waited or not, to the byte where it is an image.
struct DeferredWork {
    var folders: [DeferredFolder] = []
    private(set) var whiteouts: [Whiteout] = []
    /// The paths that they hide, with the kinds of whiteouts that do (`isInside`), and every folder on the way to them.
    private var hidden: [[UInt8]: (inside: Bool, outside: Bool)] = [:]
    private var onTheWay: Set<[UInt8]> = []

    /// One that is there already says nothing new: what it hides has not come back meanwhile, or all would be settled.
    mutating func add(_ whiteout: Whiteout) {
        let place = DeferredWork.joined(whiteout.parent, whiteout.name)
        var known = hidden[place] ?? (inside: false, outside: false)
        if whiteout.isInside ? known.inside : known.outside { return }
        if whiteout.isInside { known.inside = true } else { known.outside = true }
        hidden[place] = known
        whiteouts.append(whiteout)
        var path = whiteout.parent[...]
        while !path.isEmpty, onTheWay.insert(Array(path)).inserted {
            path = path[..<(path.lastIndex(of: UInt8(ascii: "/")) ?? path.startIndex)]
        }
    }

    private static func joined(_ parent: [UInt8], _ name: [UInt8]) -> [UInt8] {
        parent.isEmpty ? name : parent + [UInt8(ascii: "/")] + name
    }

    func hides(_ name: ArraySlice<UInt8>, in folder: LayerFolder) -> Bool {
        !hidden.isEmpty && hidden[DeferredWork.joined(folder.path, Array(name))] != nil
    }

    /// Whether a whiteout has hidden what is there, or something in it.
    func concerns(_ name: ArraySlice<UInt8>, in folder: LayerFolder) -> Bool {
        if hidden.isEmpty { return false }
        let path = DeferredWork.joined(folder.path, Array(name))
        return hidden[path] != nil || onTheWay.contains(path)
    }

    mutating func take() -> DeferredWork {
        defer { self = DeferredWork() }
        return self
    }
}

extension LayerUnpacking {
    // MARK: Putting off

    /// A folder on the way, as it would be if the layers below had nothing there.
    func makeDeferredFolder(_ name: ArraySlice<UInt8>, in folder: LayerFolder) throws -> LayerFolder {
        let child = try makeFolder(name, in: folder, like: nil)
        var names: [[UInt8]] = []
        var next = child
        while let parent = next.parent {
            // Nothing of the layers below shows through here.
            if next.isOpaque { return child }
            names.append(next.name)
            next = parent
        }
        deferred.folders.append(DeferredFolder(folder: child, path: names.reversed()))
        return child
    }

    /// Puts a whiteout off, unless it is clear already what becomes of it.
    func deferWhiteout(of hidden: ArraySlice<UInt8>, below parent: ArraySlice<UInt8>) throws {
        var folder = tree
        var isOpaque = false
        var isInside = true
        for name in PathWalk.components(Array(parent)) {
            if let child = folder.folders[Array(name)] {
                folder = child
                isOpaque = isOpaque || child.isOpaque
                continue
            }
            if let member = try form.member(name, in: folder) {
                // Something of this layer that is no folder: nothing is below it.
                guard case .link = member else { return }
                _ = try lower()
                return try whiteOut(hidden, below: parent)
            }
            if isOpaque { return }
            isInside = false
            break
        }
        if isInside, folder.folders[Array(hidden)] != nil {
            // What comes into that folder from now on has nothing below it.
            _ = try lower()
            return try whiteOut(hidden, below: parent)
        }
        deferred.add(Whiteout(parent: Array(parent), name: Array(hidden), isInside: isInside))
    }

    // MARK: Settling

    /// Does what was put off, now that the layers below are finished.
    func settleDeferred(over lower: OpenLayers) throws {
        let work = deferred.take()
        for folder in work.folders {
            let path = folder.path.map { String(rawBytes: $0) }.joined(separator: "/")
            try naming(path.isEmpty ? "/" : path) { try settle(folder, over: lower) }
        }
        for whiteout in work.whiteouts {
            try naming(whiteout.entry) {
                if try whiteout.isInside || passLowerFolders(to: whiteout.parent, in: lower) {
                    try whiteOut(whiteout.name[...], below: whiteout.parent[...])
                }
            }
        }
        forgetResolved()
    }

    private func settle(_ deferred: DeferredFolder, over lower: OpenLayers) throws {
        guard let node = try lowerNode(deferred.path[...], in: lower) else { return }
        if node.status.kind == .symbolicLink { throw NeedsLowerLayers() }
        // Something else may have taken its place since.
        guard node.status.kind == .directory, isCurrent(deferred) else { return }
        let folder = deferred.folder
        if folder.lowerLayers == nil, !folder.isOpaque { folder.lowerLayers = node.layers }
        if folder.hasEntry {
            // Where the entry came after the folder, in an archive that is read in order, these were there first.
            try form.addAttributes(of: node, from: lower, to: folder)
        } else {
            try form.copyMetadata(of: node, from: lower, to: folder)
        }
    }

    private func isCurrent(_ deferred: DeferredFolder) -> Bool {
        var folder: LayerFolder? = tree
        for name in deferred.path { folder = folder?.folders[name] }
        return folder === deferred.folder
    }

    /// What a path is in the layers below alone; no link on it is followed.
    private func lowerNode(_ path: ArraySlice<[UInt8]>, in lower: OpenLayers) throws -> MergedNode? {
        guard var node = try lower.rootNode() else { return nil }
        for name in path {
            guard node.status.kind == .directory, let child = try lower.child(name, of: node.folder) else { return nil }
            node = child
        }
        return node
    }

    /// Whether the layers below have a folder of that path. If only a part of it, that part is passed all the same, as it
    /// would have been. Where a link leads there, it may be another folder in this layer.
    private func passLowerFolders(to parent: [UInt8], in lower: OpenLayers) throws -> Bool {
        let path = PathWalk.components(parent).map { Array($0) }
        for end in path.indices {
            let node = try lowerNode(path[...end], in: lower)
            if node?.status.kind == .symbolicLink { throw NeedsLowerLayers() }
            if node?.status.kind == .directory { continue }
            _ = try resolve(Array(path[..<end].joined(separator: [UInt8(ascii: "/")]))[...], create: false)
            return false
        }
        return true
    }
}
