import LinuxSystem
import OCI

/// The forms in which the store keeps unpacked layers. Whatever looks at all of them (collection, sizes, checks) goes through
/// `ImageStore.layerEntries`.
enum LayerForm: String, CaseIterable, Sendable {
    /// `layers/dir/CHAINHEX/fs`: a folder that overlayfs mounts.
    case dir
}

/// What stands below `layers/FORM/` under one name.
struct LayerEntry: Sendable {
    let form: LayerForm
    /// nil for a name that is no chain id.
    let chainID: Digest?
    let path: String
}

extension ImageStore {
    /// Every unpacked layer, and whatever else lies where only those belong.
    func layerEntries() throws -> [LayerEntry] {
        var entries: [LayerEntry] = []
        for form in LayerForm.allCases {
            let folder = path("layers/\(form.rawValue)")
            let names: [String]
            do throws(SystemError) { names = try Files.list(folder) } catch {
                if error.code == SystemError.notFound { continue }
                throw error
            }
            for name in names.sorted() {
                entries.append(LayerEntry(form: form, chainID: Digest(hex: name), path: "\(folder)/\(name)"))
            }
        }
        return entries
    }

    /// Removes a layer in two steps, so that no part of one is ever taken for a whole.
    func discard(_ entry: LayerEntry) throws {
        switch entry.form {
        case .dir:
            if let chainID = entry.chainID { try discardLayer(chainID) } else { try Files.removeTree(entry.path) }
        }
    }
}
