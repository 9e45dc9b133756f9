import CLinux

/// The way down a tree: open folders, each in the one before. The first and the last few hold a descriptor; one between them
/// is found again from the folder below it and recognized by its inode. So a tree of any depth, as an image or a container may
/// make one, takes no more descriptors than `held`, and no stack.
package struct FolderDescent: ~Copyable {
    private struct Level {
        /// -1 while it holds none.
        var descriptor: CInt
        let device: dev_t
        let inode: UInt64
    }

    private static let held = 16
    private var levels: [Level] = []

    /// Begins at a folder of which the caller keeps its own descriptor.
    package init(_ root: borrowing FileDescriptor) throws(SystemError) {
        let status = try root.status()
        let own = try FileDescriptor.openAt(root.raw, ".", O_RDONLY | O_DIRECTORY)
        levels.append(Level(descriptor: own.release(), device: status.device, inode: status.inode))
    }

    deinit {
        for level in levels where level.descriptor >= 0 { close(level.descriptor) }
    }

    /// The folder that was entered last.
    package var current: CInt { levels[levels.count - 1].descriptor }

    /// How many folders lead to the current one.
    package var depth: Int { levels.count - 1 }

    /// Goes into a folder of the current one; never through a link.
    @discardableResult
    package mutating func enter(_ name: UnsafePointer<CChar>) throws(SystemError) -> FileStatus {
        let child = try FileDescriptor.openAt(current, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        let status = try child.status()
        levels.append(Level(descriptor: child.release(), device: status.device, inode: status.inode))
        let outermost = levels.count - 1 - FolderDescent.held
        if outermost > 0, levels[outermost].descriptor >= 0 {
            close(levels[outermost].descriptor)
            levels[outermost].descriptor = -1
        }
        return status
    }

    /// Goes up by one folder, or by more where the tree was changed meanwhile so that the way back is not known: then to the
    /// nearest folder that is.
    ///
    /// - Returns: how many folders it went up.
    package mutating func leave() -> Int {
        let before = levels.count
        let child = levels.removeLast()
        defer { close(child.descriptor) }
        if levels[levels.count - 1].descriptor < 0 {
            let parent = linux_openat(child.descriptor, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)
            var status = stat()
            let wanted = levels[levels.count - 1]
            if parent >= 0, fstat(parent, &status) == 0, status.st_dev == wanted.device, status.st_ino == wanted.inode {
                levels[levels.count - 1].descriptor = parent
            } else {
                if parent >= 0 { close(parent) }
                while levels[levels.count - 1].descriptor < 0 { levels.removeLast() }
            }
        }
        return before - levels.count
    }
}

/// Visits every entry of a tree, a folder before what is in it, with neither a descriptor nor a frame for each level.
package struct FolderWalk {
    /// Whether somebody may be changing the tree. If so, what goes meanwhile is passed over; else it is an error.
    package var isChanging = false
    /// Whether names come in the order of their bytes.
    package var isSorted = false

    package init(isChanging: Bool = false, isSorted: Bool = false) {
        (self.isChanging, self.isSorted) = (isChanging, isSorted)
    }

    /// - Parameters:
    ///   - visit: gets an entry of an open folder, and says whether to go into it, which must be a folder.
    ///   - entered: gets the folder that was gone into, before its entries.
    ///   - left: called after the last of a folder's entries; not for the root.
    package func callAsFunction(
        _ root: borrowing FileDescriptor,
        visit: (_ entry: Directory.Entry, _ folder: CInt) throws -> Bool,
        entered: (_ folder: CInt) throws -> Void = { _ in },
        left: () throws -> Void = {}
    ) throws {
        var descent = try FolderDescent(root)
        // What is still to be visited of each folder on the way, the next one last.
        var waiting = [try entries(descent.current)]
        while !waiting.isEmpty {
            guard let entry = waiting[waiting.count - 1].popLast() else {
                waiting.removeLast()
                if waiting.isEmpty { return }
                let count = descent.leave()
                if count > 1, !isChanging { throw FolderWalk.changed }
                waiting.removeLast(count - 1)
                for _ in 0..<count { try left() }
                continue
            }
            guard try visit(entry, descent.current) else { continue }
            do throws(SystemError) { try descent.enter(entry.name) } catch {
                if isChanging, [ENOENT, ENOTDIR, ELOOP].contains(error.code) { continue }
                throw error
            }
            try entered(descent.current)
            waiting.append(try entries(descent.current))
        }
    }

    private func entries(_ folder: CInt) throws(SystemError) -> [Directory.Entry] {
        let entries = try Directory.entries(folder)
        if !isSorted { return entries }
        // By their bytes, which `CChar` has as signed numbers.
        return entries.sorted { strcmp($0.name, $1.name) > 0 }
    }

    /// What somebody changed while it was read.
    package static var changed: SystemError { SystemError("reading a folder that changes", code: ESTALE) }
}
