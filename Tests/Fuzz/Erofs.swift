import CLinux
import Images
import LayerSamples
import LinuxSystem
import OCI

extension Fuzz {
    /// Layers that become EROFS images: what our own reader finds in an image is what the same layer has as a folder, whatever
    /// the layers below. An image that somebody changed is read or refused.
    ///
    /// A layer's folder takes root. Without it the images are read all the same, each over no other layer.
    static func erofs(_ bytes: UnsafeRawBufferPointer) {
        guard let chain = try? LayerChain(bytes) else { return }
        defer { if let folder = layerFolder { try? Files.removeTree(folder + "/chain") } }
        var below: [String] = []
        for (index, tar) in chain.archives.enumerated() {
            let image: [UInt8]
            let folder: String?
            do {
                (image, folder) = try layer(tar, over: below, index)
            } catch { return require(false, "\(error)") }
            if image.isEmpty { return }
            let tree: LayerTree
            do { tree = try ErofsReader.tree(of: image) } catch {
                return require(false, "our own image is refused: \(error)")
            }
            damage(image, chain)
            guard let folder else { continue }
            guard let expected = try? LayerTree(folder: folder) else {
                return require(false, "a folder cannot be read")
            }
            let differences = tree.differences(from: expected)
            require(differences.isEmpty, differences.first ?? "")
            below.insert(folder, at: 0)
        }
    }

    /// Where folders can be made; nil without root.
    nonisolated(unsafe) private static var layerFolder: String?

    /// Folders lie in memory, on a file system that nobody else sees and that goes with the process, however that ends.
    static func prepareErofs() {
        guard getuid() == 0 else { return print("erofs: without root, images are not compared with folders") }
        do {
            try retrying("making a mount namespace") { unshare(CLONE_NEWNS) }
            try retrying("keeping mounts to ourselves") { mount("none", "/", nil, UInt(MS_REC | MS_PRIVATE), nil) }
            try retrying("mounting a file system in memory") { mount("layers", "/mnt", "tmpfs", 0, "size=256m") }
            layerFolder = "/mnt"
        } catch {
            print("erofs: \(error)")
            quit(2)
        }
    }

    /// A layer in both forms. What one refuses the other refuses in the same words: then the image is empty.
    private static func layer(_ tar: [UInt8], over below: [String], _ index: Int) throws -> ([UInt8], String?) {
        let (image, said) = try written(tar, over: below)
        // The one thing that only a folder takes: a root with kilobytes of attributes has no place behind the superblock.
        if let said, said.hasSuffix(" bytes of attributes") { return ([], nil) }
        guard let layerFolder else { return (image, nil) }
        let folder = "\(layerFolder)/chain/\(index)"
        try Files.makeDirectories(folder)
        do {
            _ = try LayerUnpacker.unpack(MemorySource(tar), into: folder, over: LayerStack(directories: below))
            require(said == nil, "only the image is refused: \(said ?? "")")
        } catch let error as EngineError {
            require(said == error.message, "the folder: \(error.message); the image: \(said ?? "fine")")
        }
        return (image, folder)
    }

    private static func written(_ tar: [UInt8], over below: [String]) throws -> ([UInt8], String?) {
        let file = try FileDescriptor.inMemory("image")
        do {
            _ = try LayerUnpacker.write(
                MemorySource(tar),
                image: file.duplicate(),
                uuid: Array(repeating: 1, count: 16),
                over: LayerStack(directories: below)
            )
        } catch let error as EngineError {
            return ([], error.message)
        }
        try file.rewind()
        return (try file.readAll(limit: 256 << 20), nil)
    }

    /// Changes bytes, once with a checksum that is wrong then and once with the right one.
    private static func damage(_ image: [UInt8], _ chain: LayerChain) {
        if chain.damage.isEmpty { return }
        var image = image
        for (place, byte) in chain.damage { image[place * image.count >> 16] = byte }
        _ = try? ErofsReader.tree(of: image)
        let sum = ErofsReader.checkSum(of: image)
        for index in 0..<4 { image[1028 + index] = UInt8(truncatingIfNeeded: sum >> UInt32(index * 8)) }
        _ = try? ErofsReader.tree(of: image)
    }
}
