import CLinux
import LinuxSystem
import OCI

/// In what the file systems of two images differ.
package struct ImageDiff {
    package enum Kind: String, Sendable { case added = "A", removed = "D", changed = "C" }

    /// A file as one image has it.
    package struct File: Sendable {
        package let kind: FileStatus.Kind
        package let mode: mode_t
        package let owner: uid_t
        package let group: gid_t
        /// In bytes; of a file's content, else 0.
        package let size: Int64
        /// Where a link leads.
        package let target: String?
    }

    package struct Change: Sendable {
        package let path: String
        package let kind: Kind
        package let before: File?
        package let after: File?
        /// What of a changed file changed: "kind", "mode", "owner", "size", "content", "link", "device", "attributes".
        package let what: [String]
    }

    package private(set) var changes: [Change] = []
    private let before: Side
    private let after: Side

    /// One of the two trees.
    private struct Side {
        let stack: LayerStack
        let open: OpenLayers

        init(_ stack: LayerStack) {
            self.stack = stack
            open = OpenLayers(stack)
        }

        /// The layers' folders that something comes from.
        func sources(_ layers: [Int]) -> [String] { layers.map { stack.directories[$0] } }
    }

    /// Compares two merged trees; what comes from the same layers in both is not even looked at. Times do not count.
    package static func compare(_ before: LayerStack, _ after: LayerStack) throws -> [Change] {
        var diff = ImageDiff(before: Side(before), after: Side(after))
        let (a, b) = (diff.before.open.root(), diff.after.open.root())
        try diff.compare(before.directories.isEmpty ? nil : a, after.directories.isEmpty ? nil : b)
        return diff.changes
    }

    private init(before: Side, after: Side) {
        self.before = before
        self.after = after
    }

    /// A name of two folders that is still to be looked at; nil for what only one has.
    private struct Pending {
        let name: [UInt8]
        let one: MergedFolder?
        let other: MergedFolder?
    }

    /// Folders come before what is in them, and names are sorted by their bytes. However deep the trees are, no level takes a
    /// frame or a descriptor.
    private mutating func compare(_ one: MergedFolder?, _ other: MergedFolder?) throws {
        var pending = try names(one, other)
        while let next = pending.popLast() {
            let a = try next.one.flatMap { try before.open.child(next.name, of: $0) }
            let b = try next.other.flatMap { try after.open.child(next.name, of: $0) }
            if let a, let b, before.sources(a.layers) == after.sources(b.layers), a.path == b.path { continue }
            if let a, let b {
                let what = try differences(a, b)
                if !what.isEmpty { try note(.changed, a, b, what) }
            } else {
                try note(a == nil ? .added : .removed, a, b, [])
            }
            let folders = (
                a?.status.kind == .directory ? a?.folder : nil, b?.status.kind == .directory ? b?.folder : nil
            )
            if folders.0 != nil || folders.1 != nil { pending += try names(folders.0, folders.1) }
        }
    }

    /// The names of both, the first one last; none where all comes from the same layers.
    private func names(_ one: MergedFolder?, _ other: MergedFolder?) throws -> [Pending] {
        if let one, let other, before.sources(one.layers) == after.sources(other.layers) { return [] }
        let names = try Set(one.map { try before.open.names(in: $0) } ?? []).union(
            other.map { try after.open.names(in: $0) } ?? []
        )
        return names.sorted { $1.lexicographicallyPrecedes($0) }.map { Pending(name: $0, one: one, other: other) }
    }

    private mutating func note(_ kind: Kind, _ a: MergedNode?, _ b: MergedNode?, _ what: [String]) throws {
        changes.append(
            Change(
                path: "/" + printable((a ?? b)?.path ?? []),
                kind: kind,
                before: try a.map { try ImageDiff.file($0, before.open) },
                after: try b.map { try ImageDiff.file($0, after.open) },
                what: what
            )
        )
    }

    private static func file(_ node: MergedNode, _ layers: OpenLayers) throws -> File {
        let status = node.status
        return File(
            kind: status.kind,
            mode: status.mode,
            owner: status.owner,
            group: status.group,
            size: status.kind == .file ? status.size : 0,
            target: status.kind == .symbolicLink ? printable(try layers.locate(node).linkTarget()) : nil
        )
    }

    private func differences(_ a: MergedNode, _ b: MergedNode) throws -> [String] {
        let (one, other) = (a.status, b.status)
        var what: [String] = []
        if one.kind != other.kind { return ["kind"] }
        if one.kind != .symbolicLink, one.mode != other.mode { what.append("mode") }
        if one.owner != other.owner || one.group != other.group { what.append("owner") }
        let x = try before.open.locate(a)
        let y = try after.open.locate(b)
        switch one.kind {
        case .file:
            if one.size != other.size {
                what.append("size")
            } else if try !TreeComparison.haveSameContent(x.reopened(), y.reopened()) {
                what.append("content")
            }
        case .symbolicLink: if try x.linkTarget() != y.linkTarget() { what.append("link") }
        case .characterDevice, .blockDevice: if one.represents != other.represents { what.append("device") }
        case .directory, .fifo, .socket: break
        }
        if try ImageDiff.attributes(x.raw) != ImageDiff.attributes(y.raw) { what.append("attributes") }
        return what
    }

    private static func attributes(_ file: CInt) throws -> [String: [UInt8]] {
        var values: [String: [UInt8]] = [:]
        for name in try PathAttributes.names(of: file) where !OverlayForm.isOwnAttribute(name) {
            values[name] = try PathAttributes.value(name, of: file)
        }
        return values
    }
}
