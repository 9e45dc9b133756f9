import CLinux
import LinuxSystem
import OCI

extension LayerUnpacking {
    /// Calls `make`, and once more after removing what this layer has there already.
    func replacing(_ name: ArraySlice<UInt8>, in folder: LayerFolder, _ make: () throws -> Bool) throws {
        if try make() { return }
        try remove(name, from: folder)
        guard try make() else { throw SystemError("replacing", code: EEXIST) }
    }

    func createFile(_ entry: TarEntry, _ name: ArraySlice<UInt8>, in folder: LayerFolder, _ content: TarReader) throws {
        try replacing(name, in: folder) { try form.addFile(entry, name, in: folder, content) }
        summary.add(bytes: entry.size)
    }

    func createFolder(_ entry: TarEntry, _ name: ArraySlice<UInt8>, in folder: LayerFolder) throws {
        let child = try folder.folders[Array(name)] ?? addFolder(name, in: folder)
        try form.setMetadata(of: child, entry)
        child.setMetadata(entry)
        child.markWritten()
    }

    func createSymlink(_ entry: TarEntry, _ name: ArraySlice<UInt8>, in folder: LayerFolder) throws {
        try replacing(name, in: folder) { try form.addSymlink(entry, name, in: folder) }
        forgetResolved()
    }

    func createNode(_ entry: TarEntry, _ name: ArraySlice<UInt8>, in folder: LayerFolder) throws {
        if entry.kind == .characterDevice, entry.major == 0, entry.minor == 0 {
            // Overlayfs would take it for a whiteout.
            throw EngineError(.unsupported, "\(entry.name) is a character device 0:0, which cannot be stored")
        }
        let device = linux_makedev(entry.major, entry.minor)
        if linux_major(device) != entry.major || linux_minor(device) != entry.minor, entry.kind != .fifo {
            throw EngineError(.invalid, "\(entry.name) has an impossible device number \(entry.major):\(entry.minor)")
        }
        try replacing(name, in: folder) { try form.addNode(entry, name, in: folder) }
    }
}
