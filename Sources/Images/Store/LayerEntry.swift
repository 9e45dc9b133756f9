import LinuxSystem
import OCI

/// What stands below `layers/DRIVER/` under one name. Whatever looks at all unpacked layers (collection, sizes, checks) goes
/// through `ImageStore.layerEntries`.
struct LayerEntry: Sendable {
    let driver: StorageDriver
    /// nil for a name that is no chain id.
    let chainID: Digest?
    let path: String
}

extension ImageStore {
    /// Every unpacked layer, and whatever else lies where only those belong.
    func layerEntries() throws -> [LayerEntry] {
        var entries: [LayerEntry] = []
        for driver in StorageDriver.allCases {
            let folder = layerFolder(driver)
            for name in try names(in: folder) {
                entries.append(LayerEntry(driver: driver, chainID: Digest(hex: name), path: "\(folder)/\(name)"))
            }
        }
        return entries
    }

    /// What is in a folder, sorted; nothing where the folder itself is missing. A link in its place is an error: what is found
    /// here may be removed, and that of somebody else's folder never.
    func names(in folder: String) throws -> [String] {
        do throws(SystemError) { return try Files.list(folder, followingLink: false).sorted() } catch {
            if error.code == SystemError.notFound { return [] }
            throw error
        }
    }

    /// Removes a layer in two steps, so that no part of one is ever taken for a whole.
    func discard(_ entry: LayerEntry) throws {
        if let chainID = entry.chainID { try discardLayer(chainID) } else { try Files.removeTree(entry.path) }
    }
}
