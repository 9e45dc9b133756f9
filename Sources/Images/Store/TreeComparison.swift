import CLinux
import LinuxSystem
import OCI

/// One way in which a file is not what it should be.
package struct TreeDifference: Equatable, Sendable {
    /// From the tree's root, beginning with a slash; control characters are replaced.
    package let path: String
    /// "missing", "extra", "content differs", "mode is 0644 instead of 0755".
    package let what: String
}

/// Compares an unpacked layer with the same layer unpacked anew, file by file: names, kinds, content, modes, owners, link
/// targets, devices, times of modification and the attributes that a layer carries. A time is named only where nothing else
/// of the file, or in the folder, explains it.
struct TreeComparison {
    private(set) var differences: [TreeDifference] = []
    /// How many files, folders and links were compared.
    private(set) var count = 0

    /// - Parameters: two folders in overlayfs form.
    static func compare(_ found: String, with expected: String) throws -> TreeComparison {
        var comparison = TreeComparison()
        let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW
        let one = try FileDescriptor.open(found, flags)
        let other = try FileDescriptor.open(expected, flags)
        comparison.compareMetadata(try one.status(), try other.status(), [])
        try comparison.compareFolders(one, other)
        if comparison.differences.isEmpty { comparison.compareTimes(try one.status(), try other.status(), []) }
        return comparison
    }

    private mutating func note(_ path: [UInt8], _ what: String) {
        differences.append(TreeDifference(path: "/" + printable(path), what: what))
    }

    /// A folder of both trees that is being compared.
    private struct Level {
        let path: [UInt8]
        /// Of both folders, and how many differences there were before theirs: nil for the root.
        let status: (found: FileStatus, expected: FileStatus, before: Int)?
        /// What should be in it and was not looked at yet, the next one last.
        var waiting: [Directory.Entry]
        /// What is in it and was not looked for yet.
        var left: [[UInt8]: [CChar]]

        init(_ path: [UInt8], _ status: (FileStatus, FileStatus, Int)?, _ found: CInt, _ expected: CInt) throws {
            self.path = path
            self.status = status
            waiting = try Directory.entries(expected).sorted { strcmp($0.name, $1.name) > 0 }
            left = Dictionary(
                try Directory.entries(found).map { ($0.bytes, $0.name) },
                uniquingKeysWith: { first, _ in first }
            )
        }

        func child(_ name: [UInt8]) -> [UInt8] { path.isEmpty ? name : path + [UInt8(ascii: "/")] + name }
    }

    /// Without a frame or a descriptor for each level: how deep a tree is was decided by an image.
    private mutating func compareFolders(_ one: borrowing FileDescriptor, _ other: borrowing FileDescriptor) throws {
        var found = try FolderDescent(one)
        var expected = try FolderDescent(other)
        var levels = [try Level([], nil, found.current, expected.current)]
        while !levels.isEmpty {
            if let entry = levels[levels.count - 1].waiting.popLast() {
                let child = levels[levels.count - 1].child(entry.bytes)
                guard levels[levels.count - 1].left.removeValue(forKey: entry.bytes) != nil else {
                    note(child, "missing")
                    continue
                }
                let before = differences.count
                guard let status = try compare(entry.name, in: found.current, expected.current, child) else { continue }
                try found.enter(entry.name)
                try expected.enter(entry.name)
                try compareAttributes(found.current, expected.current, child)
                let both = (status.found, status.expected, before)
                levels.append(try Level(child, both, found.current, expected.current))
                continue
            }
            let level = levels.removeLast()
            for (bytes, name) in level.left.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
                // No layer can hold a socket: one that a build step left is in its folder only.
                if try FileStatus.of(name, in: found.current).kind == .socket { continue }
                note(level.child(bytes), "extra")
            }
            guard let status = level.status else { return }
            if differences.count == status.before { compareTimes(status.found, status.expected, level.path) }
            guard found.leave() == 1, expected.leave() == 1 else { throw FolderWalk.changed }
        }
    }

    /// Compares everything but what is in a folder.
    /// - Returns: what both are where they are folders.
    private mutating func compare(_ name: [CChar], in found: CInt, _ expected: CInt, _ path: [UInt8]) throws
        -> (found: FileStatus, expected: FileStatus)?
    {
        count += 1
        let before = differences.count
        let one = try FileStatus.of(name, in: found)
        let other = try FileStatus.of(name, in: expected)
        guard one.kind == other.kind else {
            note(path, "is a \(one.kind.word) instead of a \(other.kind.word)")
            return nil
        }
        if OverlayForm.isWhiteout(one), OverlayForm.isWhiteout(other) { return nil }
        compareMetadata(one, other, path)
        switch one.kind {
        case .directory: return (one, other)
        case .file:
            let a = try FileDescriptor.openAt(found, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
            let b = try FileDescriptor.openAt(expected, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
            try compareAttributes(a.raw, b.raw, path)
            if one.size != other.size {
                note(path, "has \(one.size) bytes instead of \(other.size)")
            } else if try !TreeComparison.haveSameContent(a, b) {
                note(path, "content differs")
            }
        case .symbolicLink:
            let a = try Files.linkTarget(name, in: found)
            let b = try Files.linkTarget(name, in: expected)
            if a != b { note(path, "leads to \(printable(a)) instead of \(printable(b))") }
        case .characterDevice, .blockDevice:
            if one.represents != other.represents {
                note(path, "is device \(one.major):\(one.minor) instead of \(other.major):\(other.minor)")
            }
        case .fifo, .socket: break
        }
        if differences.count == before { compareTimes(one, other, path) }
        return nil
    }

    /// Beyond 2038 and before 1901 not every file system keeps a time as an image does.
    private mutating func compareTimes(_ one: FileStatus, _ other: FileStatus, _ path: [UInt8]) {
        let (a, b) = (one.modified, other.modified)
        if b.tv_sec > Int(Int32.max) || b.tv_sec <= Int(Int32.min) { return }
        if a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec { return }
        note(path, "time is \(a.text) instead of \(b.text)")
    }

    private mutating func compareMetadata(_ one: FileStatus, _ other: FileStatus, _ path: [UInt8]) {
        if one.kind != .symbolicLink, one.mode != other.mode {
            note(path, "mode is \(one.mode.octal) instead of \(other.mode.octal)")
        }
        if one.owner != other.owner || one.group != other.group {
            note(path, "owner is \(one.owner):\(one.group) instead of \(other.owner):\(other.group)")
        }
    }

    /// Those that a layer's tar carries in both directions; others belong to this machine or this mount.
    private static func isCompared(_ name: String) -> Bool {
        name == OverlayForm.opaqueAttribute || name == "security.capability"
            || name.hasPrefix("user.") && !OverlayForm.isOwnAttribute(name)
    }

    private mutating func compareAttributes(_ found: CInt, _ expected: CInt, _ path: [UInt8]) throws {
        let one = Set(try PathAttributes.names(of: found).filter(TreeComparison.isCompared))
        let other = Set(try PathAttributes.names(of: expected).filter(TreeComparison.isCompared))
        for name in other.subtracting(one).sorted() { note(path, "attribute \(printable(name.utf8)) is missing") }
        for name in one.subtracting(other).sorted() { note(path, "attribute \(printable(name.utf8)) is extra") }
        for name in one.intersection(other).sorted()
        where try PathAttributes.value(name, of: found) != PathAttributes.value(name, of: expected) {
            note(path, "attribute \(printable(name.utf8)) differs")
        }
    }

    /// Of two files of one size. What is a hole in both is not read: an image may hold terabytes of nothing.
    static func haveSameContent(_ a: borrowing FileDescriptor, _ b: borrowing FileDescriptor) throws -> Bool {
        let end = try a.status().size
        let segments = end < 1 << 20 ? [0..<end] : try a.dataSegments() + b.dataSegments()
        let size = 128 << 10
        let one = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 16)
        let other = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 16)
        defer {
            one.deallocate()
            other.deallocate()
        }
        var offset: Int64 = 0
        for segment in segments.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            offset = max(offset, segment.lowerBound)
            while offset < segment.upperBound {
                let wanted = Int(min(Int64(size), segment.upperBound - offset))
                let (first, second) = (one[..<wanted], other[..<wanted])
                let count = try read(a, into: UnsafeMutableRawBufferPointer(rebasing: first), at: offset)
                guard try read(b, into: UnsafeMutableRawBufferPointer(rebasing: second), at: offset) == count,
                    count > 0, one[..<count].elementsEqual(other[..<count], count)
                else { return false }
                offset += Int64(count)
            }
        }
        return true
    }

    private static func read(
        _ file: borrowing FileDescriptor,
        into buffer: UnsafeMutableRawBufferPointer,
        at offset: Int64
    ) throws -> Int {
        var filled = 0
        while filled < buffer.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
            let count = try file.read(into: rest, at: offset + Int64(filled))
            if count == 0 { break }
            filled += count
        }
        return filled
    }
}

extension Slice where Base == UnsafeMutableRawBufferPointer {
    /// memcmp(3).
    fileprivate func elementsEqual(_ other: Slice<UnsafeMutableRawBufferPointer>, _ count: Int) -> Bool {
        let one = UnsafeMutableRawBufferPointer(rebasing: self)
        let two = UnsafeMutableRawBufferPointer(rebasing: other)
        guard count > 0, let a = one.baseAddress, let b = two.baseAddress else { return count == 0 }
        return memcmp(a, b, count) == 0
    }
}

extension FileStatus.Kind {
    package var word: String {
        switch self {
        case .file: "file"
        case .directory: "folder"
        case .symbolicLink: "link"
        case .characterDevice: "character device"
        case .blockDevice: "block device"
        case .fifo: "pipe"
        case .socket: "socket"
        }
    }
}

extension timespec {
    fileprivate var text: String {
        // Before 1970, and after what a number of nanoseconds holds.
        guard tv_sec >= 0, tv_sec < 1 << 34 else { return "\(tv_sec) s" }
        return Timestamp.rfc3339(
            nanoseconds: Timestamp.nanoseconds(seconds: Int64(tv_sec), nanoseconds: Int64(tv_nsec))
        )
    }
}

extension mode_t {
    /// `0755`.
    package var octal: String {
        let text = String(self, radix: 8)
        return String(repeating: "0", count: Swift.max(0, 4 - text.utf8.count)) + text
    }
}
