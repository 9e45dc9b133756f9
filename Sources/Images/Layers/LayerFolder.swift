import CLinux
import LinuxSystem
import OCI

/// A folder that a layer has, explicitly or on the way to something: what the unpacker remembers of what it wrote.
final class LayerFolder {
    let name: [UInt8]
    private(set) unowned var parent: LayerFolder?
    let depth: Int
    /// Every folder of this layer is here; files are only on the disk.
    var folders: [[UInt8]: LayerFolder] = [:]
    /// Nothing of the layers below shows through.
    var isOpaque = false
    /// It or a folder above it became opaque: nothing below it shows through or needs a whiteout any more.
    var isCovered = false
    /// It or something below it has an entry, so that a whiteout of the same layer must spare it.
    private(set) var isWritten = false
    /// Its owner, mode and time are an entry's, and not what the layers below say.
    private(set) var hasEntry = false
    /// Whether there are whiteouts directly in it.
    var hasWhiteouts = false
    /// Names that the layers below were asked for on behalf of a whiteout, and that this layer had nothing under: what they
    /// have there is hidden by now, or they have nothing.
    var searched: Set<[UInt8]> = []
    /// Which of the layers below have it; nil is not known yet.
    var lowerLayers: [Int]?
    /// What an EROFS image keeps of it.
    var content: ErofsFolder?
    /// What a folder gets last: a default access list would be inherited by all that is made in it.
    var defaultList: [UInt8]?
    /// What its time of modification is to be in the end.
    var time = timespec()

    init(name: [UInt8], parent: LayerFolder?) {
        self.name = name
        self.parent = parent
        depth = parent.map { $0.depth + 1 } ?? 0
    }

    /// From the layer's root, without a first slash.
    var path: [UInt8] {
        var names: [[UInt8]] = []
        var folder = self
        while let parent = folder.parent {
            names.append(folder.name)
            folder = parent
        }
        return Array(names.reversed().joined(separator: [UInt8(ascii: "/")]))
    }

    /// Whether it is another folder or below that.
    func isInside(_ other: LayerFolder) -> Bool {
        var folder: LayerFolder? = self
        while let next = folder, next !== other { folder = next.parent }
        return folder != nil
    }

    func markWritten() {
        var folder: LayerFolder? = self
        while let marked = folder, !marked.isWritten {
            marked.isWritten = true
            folder = marked.parent
        }
    }

    /// An entry of its own says its owner, mode and time.
    func setMetadata(_ entry: TarEntry) {
        hasEntry = true
        time = timespec(tv_sec: Int(entry.mtime), tv_nsec: Int(entry.mtimeNanoseconds))
    }
}

/// Names of a layer's entries as bytes.
enum LayerPath {
    private static let slash = UInt8(ascii: "/")

    /// The path from the root, without a first or last slash, without "." and empty components; ".." takes the
    /// component before it, and nothing at the root. Empty for the root itself.
    static func cleaned(_ path: [UInt8]) -> [UInt8] {
        var start = 0
        if path.starts(with: [0x2e, slash]) { start = 2 } else if path.first == slash { start = 1 }
        let end = path.last == slash ? path.count - 1 : path.count
        guard start < end else { return [] }
        let inner = path[start..<end]
        if isClean(inner) { return start == 0 && end == path.count ? path : Array(inner) }
        var parts: [ArraySlice<UInt8>] = []
        for part in PathWalk.components(Array(inner)) {
            if part == [0x2e, 0x2e] { _ = parts.popLast() } else { parts.append(part) }
        }
        return Array(parts.joined(separator: [slash]))
    }

    /// Whether no component is empty, "." or "..".
    private static func isClean(_ path: ArraySlice<UInt8>) -> Bool {
        // Bytes of the component so far, while they are only dots.
        var length = 0
        var dots = 0
        for byte in path {
            if byte == slash {
                if length == dots && length <= 2 { return false }
                length = 0
                dots = 0
            } else {
                length += 1
                if byte == 0x2e { dots += 1 }
            }
        }
        return !(length == dots && length <= 2)
    }

    static func cString(_ name: some Collection<UInt8>) -> [CChar] {
        var result: [CChar] = []
        result.reserveCapacity(name.count + 1)
        for byte in name { result.append(CChar(bitPattern: byte)) }
        result.append(0)
        return result
    }

    /// Whether a folder on the way has a name that aufs kept for itself: such entries are no part of the image.
    static func hasReserved(_ parent: ArraySlice<UInt8>) -> Bool {
        // No need to look twice at the ordinary ones.
        guard parent.first == 0x2e || parent.contains(where: { $0 == 0x2e }) else { return false }
        return parent.split(separator: slash).contains { $0.starts(with: WhiteoutName.reserved) }
    }

    static func invalidWhiteout(_ name: ArraySlice<UInt8>) -> EngineError {
        EngineError(.invalid, "invalid whiteout \(printable(name))")
    }

    /// lstat(2) below an open folder; nil where there is nothing, as under a name that the file system cannot have.
    static func status(_ cName: [CChar], in directory: CInt) throws -> FileStatus? {
        do {
            return try FileStatus.of(cName, in: directory)
        } catch {
            if error.code == ENOENT || error.code == ENAMETOOLONG { return nil }
            throw error
        }
    }
}
