import CLinux
import LinuxSystem
import OCI

/// A layer in the making as `LayerUnpacking` sees it: the layer's own files and folders, without those of the layers
/// below. The rules of what a layer's archive means are the same for every form; this is where the bytes go.
///
/// Nothing here is named in a way that leads elsewhere: a name is one component, and a `LayerFolder` was made by
/// `addFolder`. System errors leave out the path where it is the entry's own.
protocol LayerForm: AnyObject {
    /// What the layer itself has under a name; nil for nothing.
    func member(_ name: ArraySlice<UInt8>, in folder: LayerFolder) throws -> LayerMember?

    /// Each of these gives false, and has done nothing, where the name is taken.
    func addFolder(_ folder: LayerFolder, in parent: LayerFolder) throws -> Bool
    func addFile(_ entry: TarEntry, _ name: ArraySlice<UInt8>, in folder: LayerFolder, _ content: TarReader) throws
        -> Bool
    func addSymlink(_ entry: TarEntry, _ name: ArraySlice<UInt8>, in folder: LayerFolder) throws -> Bool
    /// A device, whose numbers were checked, or a pipe.
    func addNode(_ entry: TarEntry, _ name: ArraySlice<UInt8>, in folder: LayerFolder) throws -> Bool
    func addWhiteout(_ name: ArraySlice<UInt8>, in folder: LayerFolder) throws -> Bool
    /// A second name for a file of this layer.
    func link(_ name: ArraySlice<UInt8>, in folder: LayerFolder, to base: ArraySlice<UInt8>, in source: LayerFolder)
        throws -> Bool

    /// Copies what is no folder from a layer below, to where this layer has nothing.
    func copy(_ node: MergedNode, from lower: OpenLayers, _ name: ArraySlice<UInt8>, in folder: LayerFolder) throws

    /// Removes what the layer has under a name: file, link or folder with all below it.
    func remove(_ name: ArraySlice<UInt8>, from folder: LayerFolder) throws
    func removeWhiteouts(from folder: LayerFolder) throws

    /// Owner, mode and attributes of a folder as its entry says. Its time is the folder's own, in the end.
    func setMetadata(of folder: LayerFolder, _ entry: TarEntry) throws
    /// The same as a folder of the layers below has them, and with its time.
    func copyMetadata(of node: MergedNode, from lower: OpenLayers, to folder: LayerFolder) throws
    /// Of such a folder only the attributes, and only those that this one has not: its entry says the rest.
    func addAttributes(of node: MergedNode, from lower: OpenLayers, to folder: LayerFolder) throws
    /// Root's, with mode 755.
    func setDefaultMetadata(of folder: LayerFolder) throws
    func setOpaque(_ folder: LayerFolder) throws

    /// All entries are there.
    func finish(_ root: LayerFolder) throws
}

/// What a layer has under a name.
enum LayerMember {
    case folder
    case link(target: [UInt8])
    case whiteout
    /// A file, device or pipe.
    case file
}

/// Attributes that an image may bring along.
enum LayerAttributes {
    /// Overlayfs' own attributes never come from an image, and what belongs to the machine that packed it means
    /// nothing here.
    static func accepts(_ name: String) -> Bool {
        !OverlayForm.isOwnAttribute(name) && name != "security.selinux" && !name.hasPrefix("system.nfs4_acl")
    }

    /// Refuses what the kernel would as setxattr(2), whatever the layer becomes: capabilities that are none
    /// (cap_convert_nscap: VFS_CAP_REVISION_2 and 3, capability.h).
    static func check(_ entry: TarEntry) throws(SystemError) {
        for (name, value) in entry.xattrs where name == "security.capability" {
            let revision = value.count < 4 ? nil : value[3]
            guard value.count == 20 && revision == 2 || value.count == 24 && revision == 3 else {
                throw SystemError("setting attribute \(name) of", code: EINVAL)
            }
        }
    }
}
