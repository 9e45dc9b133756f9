import CLinux
import LinuxSystem
import OCI

/// What an unpacked layer may hold.
package struct UnpackLimits: Equatable, Sendable {
    package var tar = TarLimits.default
    /// Of the layer's compressed form; whoever decompresses it sees to this.
    package var expansion = ExpansionLimits.default
    /// Bytes of the layers below that one layer may copy, for hard links to files there: as much as may expand from nothing.
    package var copies: Int64 { expansion.ratio == nil ? expansion.size : expansion.ratioFrom }
    package static let `default` = UnpackLimits()
    package init() {}
}

/// What was unpacked: entries of the archive, and bytes of file content.
package struct UnpackSummary: Equatable, Sendable {
    package var files = 0
    package var bytes: Int64 = 0
    package init() {}

    /// Holes take no room, so that the sizes of a few sparse files are more than a number holds. A petabyte for each layer says it
    /// too, and the sum of a thousand layers stays a number.
    mutating func add(bytes count: Int64) { bytes = min(1 << 50, bytes + min(1 << 50, max(0, count))) }
}

/// Turns a layer's tar into a folder in the form that overlayfs mounts.
///
/// The result, mounted over the layers below, shows what those layers with this archive applied to them would be:
/// - A name is taken from the root and cleaned as text. Links on its way are resolved in the merged tree of this
///   layer and those below, and never lead outside.
/// - A folder on the way that has no entry of its own takes mode, owner, time and attributes from the layers below.
/// - Whiteouts hide only what lies below: entries of the same layer survive them, whatever their order.
/// - A hard link to a file of a lower layer copies that file into this layer first.
///
/// It needs root: owners, device nodes and trusted attributes are part of a layer.
package struct LayerUnpacker {
    /// Unpacks a plain tar and reads `tar` to its end, so that a `VerifiedSource` below it is verified.
    /// - Parameters:
    ///   - directory: an empty folder, which becomes the layer. After an error it holds a part of it: remove it. Nothing
    ///     outside of it is ever changed.
    ///   - lower: the layers below this one.
    package static func unpack(
        _ tar: any ByteSource,
        into directory: String,
        over lower: LayerStack,
        limits: UnpackLimits = .default
    ) throws -> UnpackSummary {
        try unpack(into: { try FolderForm(directory) }, over: .finished(lower), limits: limits) { read in
            try read(BufferedPieces(tar))
        }
    }

    /// Writes a plain tar as an EROFS image that shows the same layer, and reads `tar` to its end. It needs no rights.
    /// - Parameters:
    ///   - image: an empty file, to be read and written. After an error it holds a part of the layer. It is not synced.
    ///   - uuid: 16 bytes; the same archive over the same layers with the same UUID gives the same bytes.
    package static func write(
        _ tar: any ByteSource,
        image: consuming FileDescriptor,
        uuid: [UInt8],
        over lower: LayerStack,
        limits: UnpackLimits = .default
    ) throws -> UnpackSummary {
        let form = ErofsForm(image, uuid: uuid)
        return try unpack(into: { form }, over: .finished(lower), limits: limits) { read in
            try read(BufferedPieces(tar))
        }
    }

    /// Unpacks the tar that `archive` hands to its argument, once. What needs the layers below is done after `archive`
    /// has returned, unless the tar itself cannot go on without them: so it holds little while it waits.
    /// - Throws: `NeedsLowerLayers` only where `lower` is not finished.
    static func unpack(
        into form: () throws -> any LayerForm,
        over lower: LowerLayers,
        limits: UnpackLimits,
        _ archive: (_ read: (any PieceSource) throws -> Void) throws -> Void
    ) throws -> UnpackSummary {
        do {
            let unpacking = try LayerUnpacking(form(), over: lower, limits: limits)
            try archive(unpacking.read)
            return try unpacking.finish()
        } catch let error as SystemError {
            throw EngineError(.failed, "unpacking layer: \(printable(error.description.utf8))")
        } catch let error as EngineError {
            throw EngineError(error.kind, "unpacking layer: \(error.message)", hint: error.hint)
        }
    }
}
