import LinuxSystem

/// Writes an image's folders, and with them its end. All of them get a number before any is written, since each names
/// the one above and those below.
struct ErofsFolders {
    private struct Entry {
        let folder: ErofsFolder
        let parent: ErofsFolder
        let names: ErofsDirents
    }

    private let form: ErofsForm
    /// The root first, and every folder before those in it, in the order of their names.
    private var entries: [Entry] = []

    init(_ root: ErofsFolder, of form: ErofsForm) {
        self.form = form
        var pending = [(root, root)]
        while let (folder, parent) = pending.popLast() {
            let entry = Entry(folder: folder, parent: parent, names: ErofsDirents(folder.names.keys))
            entries.append(entry)
            for name in entry.names.names.reversed() {
                if case .folder(let child)? = folder.names[name] { pending.append((child, folder)) }
            }
        }
    }

    func write(uuid: [UInt8]) throws {
        for (index, entry) in entries.enumerated() {
            let folder = entry.folder
            folder.inode.size = Int64(entry.names.size)
            folder.inode.attributes = try ErofsAttributes.encode(folder.attributes)
            let folders = folder.names.values.count { if case .folder = $0 { true } else { false } }
            folder.inode.links = UInt32(2 + folders)
            folder.number = index == 0 ? ErofsImage.rootNumber : try form.image.reserveFolder(folder.inode)
        }
        for file in form.files where file.links > 1 { try form.image.setLinks(file.links, of: file.number) }
        for entry in entries.dropFirst() {
            try form.image.writeFolder(entry.folder.inode, content(entry), number: entry.folder.number)
        }
        if let root = entries.first { try form.image.finish(root: root.folder.inode, content(root), uuid: uuid) }
    }

    private func content(_ entry: Entry) -> [UInt8] {
        let folderType: UInt8 = 2
        return entry.names.content { name in
            switch entry.folder.names[name] {
            case .folder(let child): (child.number, folderType)
            case .file(let file): (form.files[Int(file)].number, form.files[Int(file)].type)
            // "." and "..".
            case nil: (name.count == 1 ? entry.folder.number : entry.parent.number, folderType)
            }
        }
    }
}
