import CLinux
import Images
import LinuxSystem
import OCI

/// Turns a finished folder into a layer of the store: a plain tar blob, and the folder itself as that blob unpacked.
struct LayerSeal {
    let images: ImageStore
    /// Throws where the build is to end.
    var interruption: () throws -> Void = {}

    struct Sealed {
        let layer: Descriptor
        let chainID: Digest
        let isEmpty: Bool
    }

    /// Gives the folder away.
    func seal(_ folder: String, over parent: Digest?) throws -> Sealed {
        let writer = try images.blobWriter()
        let summary = try LayerPacker.pack(folder, to: InterruptibleSink(writer, interruption))
        let (digest, size) = try writer.commit()
        let chainID = try images.adoptLayer(
            folder,
            diffID: digest,
            parent: parent,
            bytes: summary.bytes,
            files: summary.files
        )
        let layer = Descriptor(mediaType: .layer, digest: digest, size: size)
        return Sealed(layer: layer, chainID: chainID, isEmpty: summary.files == 0)
    }
}

/// The times in a folder that a RUN has filled.
enum LayerTimes {
    /// Cuts every time to seconds, as the layer's tar has it, and makes those after `epoch` that one.
    static func settle(_ folder: String, epoch: Int64?) throws {
        let root = try FileDescriptor.open(folder, O_RDONLY | O_DIRECTORY)
        try FolderWalk()(root) { entry, folder in
            let status = try FileStatus.of(entry.name, in: folder)
            var seconds = status.modified.tv_sec
            if let epoch { seconds = min(seconds, Int(epoch)) }
            if status.modified.tv_nsec != 0 || seconds != status.modified.tv_sec {
                let times = [timespec(tv_sec: seconds, tv_nsec: 0), timespec(tv_sec: seconds, tv_nsec: 0)]
                try retrying("changing the time of", entry.text) {
                    utimensat(folder, entry.name, times, AT_SYMLINK_NOFOLLOW)
                }
            }
            return status.kind == .directory
        }
    }
}
