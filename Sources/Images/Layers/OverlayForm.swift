import CLinux
import LinuxSystem

/// How overlayfs writes "not there any more" into a layer's folder (Documentation/filesystems/overlayfs.rst).
enum OverlayForm {
    static let opaqueAttribute = "trusted.overlay.opaque"

    /// A whiteout is a character device 0:0 in the place of the name that it hides.
    static func isWhiteout(_ status: FileStatus) -> Bool { status.kind == .characterDevice && status.represents == 0 }

    /// Attributes that belong to overlayfs: they say something of one layer's folder and must neither come from an
    /// image nor go into one.
    static func isOwnAttribute(_ name: String) -> Bool {
        name.hasPrefix("trusted.overlay.") || name.hasPrefix("user.overlay.")
    }
}

/// How an OCI layer writes the same (image-spec, layer.md#whiteouts).
enum WhiteoutName {
    static let prefix = Array(".wh.".utf8)
    static let opaque = Array(".wh..wh..opq".utf8)
    /// aufs kept its own things under such names.
    static let reserved = Array(".wh..wh.".utf8)
}
