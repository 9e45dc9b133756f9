import CLinux
import LinuxSystem
import OCI

/// When an image was last used: the time of modification of its manifest's blob. That costs a run one system call and no file
/// of its own, and goes with the image.
extension ImageStore {
    /// Notes that the image is used now. Where the store cannot be written to, nothing is noted.
    package func touch(_ image: StoredImage) { try? Files.touch(blobPath(image.manifestDigest)) }

    /// Nanoseconds since 1970; 0 where the manifest is not there.
    package func lastUse(of image: StoredImage) -> UInt64 {
        (try? FileStatus.of(blobPath(image.manifestDigest)))?.modifiedNanoseconds ?? 0
    }
}
