import OCI

extension LayerUnpacking {
    /// An entry whose name begins with ".wh.": what it is by type does not matter.
    func applyWhiteout(_ name: ArraySlice<UInt8>, below parent: ArraySlice<UInt8>, _ entry: TarEntry) throws {
        if name.elementsEqual(WhiteoutName.opaque) {
            guard let folder = try resolve(parent, create: true) else { return }
            try makeOpaque(folder)
            folder.markWritten()
            return
        }
        if name.starts(with: WhiteoutName.reserved) { return }
        let hidden = name.dropFirst(WhiteoutName.prefix.count)
        if hidden.isEmpty || hidden == [0x2e] || hidden == [0x2e, 0x2e] { throw LayerPath.invalidWhiteout(name) }
        summary.files += 1
        if isSettled { return try whiteOut(hidden, below: parent) }
        try deferWhiteout(of: hidden, below: parent)
    }

    /// A whiteout, with the layers below at hand.
    func whiteOut(_ hidden: ArraySlice<UInt8>, below parent: ArraySlice<UInt8>) throws {
        // Where the merged tree has no such folder there is nothing to hide.
        guard let folder = try resolve(parent, create: false) else { return }
        try hide(hidden, in: folder)
    }

    /// Hides what the layers below have under a name, and spares what this layer has.
    private func hide(_ name: ArraySlice<UInt8>, in folder: LayerFolder) throws {
        if let child = folder.folders[Array(name)] {
            if child.isWritten { return try makeOpaque(child) }
            // It was only made on the way to whiteouts.
            try remove(name, from: folder)
        }
        // A file of this layer hides it as well, and so does a whiteout. To look into the layers below takes a call for each of
        // them, which a name that comes a million times is not worth.
        if try form.member(name, in: folder) != nil { return }
        if !folder.searched.insert(Array(name)).inserted { return }
        workDone.searches += 1
        // Overlayfs shows a whiteout that hides nothing as a broken file, where the folder is in one layer only.
        guard try below(name, in: folder) != nil else { return }
        guard try form.addWhiteout(name, in: folder) else { return }
        folder.hasWhiteouts = true
        forgetResolved()
    }

    /// Hides all that the layers below have in a folder. Whiteouts in it then have nothing to hide any more, nor have
    /// the folders below it that were only made for whiteouts.
    func makeOpaque(_ folder: LayerFolder) throws {
        if folder.isOpaque { return }
        if folder === tree { return try hideRoot() }
        try form.setOpaque(folder)
        folder.isOpaque = true
        // With a folder above it all below was hidden as well, once and for good.
        if folder.isCovered { return }
        var pending = [folder]
        while let next = pending.popLast() {
            workDone.searches += 1
            next.isCovered = true
            next.lowerLayers = []
            for child in Array(next.folders.values) {
                if child.isWritten {
                    if !child.isCovered { pending.append(child) }
                } else {
                    try remove(child.name[...], from: next)
                }
            }
            if next.hasWhiteouts { try form.removeWhiteouts(from: next) }
            next.hasWhiteouts = false
        }
    }

    /// Overlayfs does not look for the attribute on a layer's root: there, every name is hidden by itself. Once: what this
    /// layer has in the root from now on takes a whiteout's place, and hides what is below as well.
    private func hideRoot() throws {
        if isRootHidden { return }
        isRootHidden = true
        let lower = try lower()
        guard lower.count > 0 else { return }
        for name in try lower.names(in: lower.root()) { try hide(name[...], in: tree) }
    }
}
