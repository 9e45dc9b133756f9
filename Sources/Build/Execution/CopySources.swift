import CLinux
import Images
import LinuxSystem
import OCI

/// One thing that COPY or ADD takes: a file, or a folder whose content is copied.
struct CopyMatch {
    /// What the copy is called where the destination is a folder.
    let name: [UInt8]
    let tree: any SourceTree
    let top: TreeItem
    /// All below a folder, each folder before what is in it.
    let items: [TreeItem]
}

/// All that a step takes, found and read.
struct CopySources {
    var matches: [CopyMatch] = []
    /// Of everything that shows in the layer: paths, kinds, modes, link targets, contents, attributes, and owners where
    /// they are kept. Not of times, nor of inodes.
    var digest: Digest
    /// Of file content.
    var bytes: Int64 = 0
    /// Whether several files go to one place: a wildcard, or several sources.
    var isSeveral: Bool { matches.count > 1 }

    /// - Parameter limit: how many bytes of files it may be. A file of holes is as large as it says: nothing is read of what is
    ///   too large.
    init(_ matches: [CopyMatch], limit: Int64) throws {
        self.matches = matches
        try CopySources.check(matches, limit)
        let hash = HashingSink()
        for match in matches {
            try CopySources.add("match", match.name, to: hash)
            bytes += try CopySources.add(match.top, of: match, to: hash)
            for item in match.items { bytes += try CopySources.add(item, of: match, to: hash) }
        }
        digest = hash.digest
    }

    private static func check(_ matches: [CopyMatch], _ limit: Int64) throws {
        var room = limit
        for match in matches {
            for item in [match.top] + match.items where item.status.kind == .file {
                room = item.status.size > room ? -1 : room - item.status.size
                if room >= 0 { continue }
                throw EngineError(
                    .invalid,
                    "with \(TreePath.text(item.location)) it would be more than the \(limit) bytes that a layer may hold",
                    hint: "leave it out with .dockerignore, or allow it with --max-layer-size or MINIRUN_MAX_LAYER_SIZE"
                )
            }
        }
    }

    /// Adds an item to the digest; returns the size of its content.
    private static func add(_ item: TreeItem, of match: CopyMatch, to hash: HashingSink) throws -> Int64 {
        let status = item.status
        let isFile = status.kind == .file
        // Of the folder whose content is copied nothing shows.
        if item.path.isEmpty, status.kind == .directory { return 0 }
        var words = ["\(status.kind)", String(status.mode, radix: 8)]
        if match.tree.keepsOwners { words.append("\(status.owner):\(status.group)") }
        if match.tree.keepsTimes { words.append("\(status.modified.tv_sec)") }
        if status.kind == .characterDevice || status.kind == .blockDevice {
            words.append("\(status.major),\(status.minor)")
        }
        if isFile { words.append(try match.tree.digest(of: item).hex) }
        try add(words.joined(separator: " "), item.path, to: hash)
        if status.kind == .symbolicLink { try add("link", item.linkTarget, to: hash) }
        for (name, value) in item.attributes { try add("attribute \(name)", value, to: hash) }
        return isFile ? status.size : 0
    }

    /// Lengths come first, so that no two lists of words read alike.
    private static func add(_ word: String, _ bytes: [UInt8], to hash: HashingSink) throws {
        try hash.write(Array("\(word.utf8.count) \(bytes.count) \(word)".utf8) + bytes)
    }
}

/// Finds what a step's sources mean in a tree.
struct CopyResolver {
    let tree: any SourceTree
    private let exclude: DockerIgnore?

    init(_ tree: any SourceTree, excludes: [String]) throws {
        self.tree = tree
        exclude = excludes.isEmpty ? nil : try DockerIgnore(patterns: excludes)
    }

    /// - Throws: where a source without wildcards is not there.
    func matches(_ source: CopyStep.Source) throws -> [CopyMatch] {
        switch source {
        case .path(let path, nil): return try matches(path)
        case .path(let root, let pattern?): return try matches(root, keepingParents: pattern)
        case .inline(let file):
            let tree = try InlineTree(file)
            guard let item = try tree.find([]) else { return [] }
            return [CopyMatch(name: file.name.rawBytes, tree: tree, top: item, items: [])]
        case .url(let url): throw EngineError(.unsupported, "ADD \(url): downloads are not supported yet")
        case .git(let url): throw EngineError(.unsupported, "ADD \(url): git repositories are not supported yet")
        }
    }

    private func matches(_ path: String) throws -> [CopyMatch] {
        if PathPattern.hasWildcards(path) { return try matches(wildcard: path) }
        let location = TreePath.relative(path)
        guard let item = try tree.find(location) else { throw CopyResolver.missing(path) }
        return try match(item, name: TreePath.name(location)).map { [$0] } ?? []
    }

    /// nil where `--exclude` leaves it out.
    private func match(_ top: TreeItem, name: [UInt8]) throws -> CopyMatch? {
        if top.status.kind != .directory {
            if top.status.kind == .socket || exclude?.excludes(name) ?? false { return nil }
            return CopyMatch(name: name, tree: tree, top: top, items: [])
        }
        let items = try TreeWalk(tree: tree, exclude: exclude).items(below: top)
        return CopyMatch(name: name, tree: tree, top: top, items: items)
    }

    static func missing(_ path: String) -> EngineError {
        EngineError(
            .notFound,
            "failed to compute cache key: failed to calculate checksum of ref: \(GoText.quote(path)): not found"
        )
    }

    // MARK: Wildcards

    private func matches(wildcard path: String) throws -> [CopyMatch] {
        let parts = path.split(separator: "/").map(String.init)
        let plain = parts.prefix { !PathPattern.hasWildcards($0) }
        let rest = parts.dropFirst(plain.count)
        guard let folder = try tree.find(TreePath.relative(plain.joined(separator: "/"))),
            folder.status.kind == .directory
        else { return [] }
        let pattern: PathPattern
        do throws(PathPatternError) { pattern = try PathPattern(rest.joined(separator: "/")) } catch {
            throw EngineError(.invalid, "\(error): \(path)")
        }
        var found: [TreeItem] = []
        try search(folder, pattern, depth: rest.count, into: &found)
        return try found.compactMap { item in
            // What is no link is what was found: its name need not be UTF-8.
            if item.status.kind != .symbolicLink {
                var top = item
                top.path = []
                return try match(top, name: item.name)
            }
            // A link that is named is followed, and one that leads nowhere is missing.
            guard let target = try tree.find(item.location) else {
                throw CopyResolver.missing("/" + TreePath.text(item.location))
            }
            return try match(target, name: item.name)
        }
    }

    /// What matches is not searched any further.
    private func search(_ folder: TreeItem, _ pattern: PathPattern, depth: Int, into found: inout [TreeItem]) throws {
        for var child in try tree.children(of: folder) {
            child.path = TreePath.join(folder.path, child.name)
            let isFolder = child.status.kind == .directory
            if pattern.matches(child.path), !child.isIgnored {
                found.append(child)
            } else if isFolder, depth > 1 {
                try search(child, pattern, depth: depth - 1, into: &found)
            }
        }
    }

    // MARK: --parents

    private func matches(_ root: String, keepingParents pattern: String) throws -> [CopyMatch] {
        guard let top = try tree.find(TreePath.relative(root)), top.status.kind == .directory else {
            throw CopyResolver.missing(root)
        }
        let include = pattern.isEmpty ? nil : try DockerIgnore(patterns: [pattern])
        let items = try TreeWalk(tree: tree, exclude: exclude, include: include).items(below: top)
        if items.isEmpty, !PathPattern.hasWildcards(pattern) { throw CopyResolver.missing("\(root)/\(pattern)") }
        return [CopyMatch(name: [], tree: tree, top: top, items: items)]
    }
}
