import LinuxSystem
import OCI

/// Looks into layer tars without unpacking them.
package enum MergedTar {
    /// The content of the regular file that `path` is in the merged tree, or nil where there is none. Whiteouts,
    /// opaque folders, symbolic and hard links are honoured where the archives name them by the path that is asked
    /// for; entries that reach a folder through another layer's link are not found.
    /// - Parameters:
    ///   - layerTars: opens each layer as a plain tar, the top layer first; may be called more than once.
    ///   - limit: more bytes of content are an error.
    package static func read(
        path: String,
        from layerTars: [() throws -> any ByteSource],
        limit: Int = 64 << 20
    ) throws -> [UInt8]? {
        var target = LayerPath.cleaned(path.rawBytes)
        var top = 0
        for _ in 0..<40 {
            switch try search(target, layerTars, from: top, limit: limit) {
            case .content(let bytes): return bytes
            case .nothing: return nil
            case .elsewhere(let other, let layer): (target, top) = (other, layer)
            }
        }
        throw EngineError(.invalid, "reading \(path): too many links")
    }

    private enum Answer {
        case content([UInt8])
        case nothing
        /// The file is to be found under another path, in this layer or below it.
        case elsewhere([UInt8], layer: Int)
    }

    private static func search(_ target: [UInt8], _ layers: [() throws -> any ByteSource], from top: Int, limit: Int)
        throws
        -> Answer
    {
        let parts = PathWalk.components(target).map { Array($0) }
        if parts.isEmpty { return .nothing }
        // For each leading part of the path: whether a layer has said that it is a folder.
        var isFolder = [Bool](repeating: false, count: parts.count)
        for layer in top..<layers.count {
            var scan = LayerScan(parts: parts, limit: limit)
            try scan.read(TarReader(try layers[layer]()))
            for index in parts.indices where !isFolder[index] {
                switch scan.members[index] {
                case nil: continue
                case .folder: isFolder[index] = true
                case .file(let bytes): return index == parts.count - 1 ? .content(bytes) : .nothing
                case .link(let link):
                    let above = link.first == UInt8(ascii: "/") ? [] : Array(parts[..<index])
                    let rest = parts[(index + 1)...]
                    let joined = above + PathWalk.components(link).map { Array($0) } + rest
                    return .elsewhere(
                        LayerPath.cleaned(Array(joined.joined(separator: [UInt8(ascii: "/")]))),
                        layer: top
                    )
                case .hardlink(let link):
                    guard index == parts.count - 1 else { return .nothing }
                    return .elsewhere(LayerPath.cleaned(link), layer: layer)
                case .other: return .nothing
                }
            }
            if scan.hidesBelow { return .nothing }
        }
        return .nothing
    }
}

/// What one layer says of the leading parts of a path.
private struct LayerScan {
    enum Member {
        case folder
        case file([UInt8])
        case link([UInt8])
        case hardlink([UInt8])
        case other
    }

    let parts: [[UInt8]]
    let limit: Int
    /// By index of the last component: members[0] is the first component alone.
    var members: [Member?]
    /// A whiteout or opaque marker hides the path in the layers below.
    var hidesBelow = false

    init(parts: [[UInt8]], limit: Int) {
        self.parts = parts
        self.limit = limit
        members = Array(repeating: nil, count: parts.count)
    }

    mutating func read(_ reader: TarReader) throws {
        while let entry = try reader.next() {
            let names = PathWalk.components(LayerPath.cleaned(entry.path))
            guard let last = names.last, names.count <= parts.count + 1,
                zip(names.dropLast(), parts).allSatisfy({ $0.elementsEqual($1) })
            else { continue }
            let index = names.count - 1
            if last.starts(with: WhiteoutName.prefix) {
                let hidden = last.dropFirst(WhiteoutName.prefix.count)
                if last.elementsEqual(WhiteoutName.opaque) || index < parts.count && hidden.elementsEqual(parts[index])
                {
                    hidesBelow = true
                }
            } else if index < parts.count, last.elementsEqual(parts[index]) {
                members[index] = try member(entry, isLast: index == parts.count - 1, reader)
            }
        }
    }

    private func member(_ entry: TarEntry, isLast: Bool, _ reader: TarReader) throws -> Member {
        switch entry.kind {
        case .directory: return .folder
        case .symlink: return .link(entry.linkTarget)
        case .hardlink: return .hardlink(entry.linkTarget)
        case .file: return .file(isLast ? try TarContentSource(reader).readAll(limit: limit) : [])
        case .characterDevice, .blockDevice, .fifo: return .other
        }
    }
}
