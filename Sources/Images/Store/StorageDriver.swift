import CLinux
import LinuxSystem
import OCI

/// What a layer is on the disk once it is unpacked.
package enum StorageDriver: String, Sendable, CaseIterable {
    /// A folder, with a file for each of the layer's.
    case dir
    /// One file, an EROFS image, which the kernel mounts.
    case erofs

    /// What `--storage-driver` and MINIRUN_STORAGE_DRIVER say: a driver's name, or "auto".
    package init(parsing text: String) throws(EngineError) {
        guard text != "auto" else {
            self = StorageDriver.kernelMountsFiles ? .erofs : .dir
            return
        }
        guard let driver = StorageDriver(rawValue: text) else {
            throw EngineError(.invalid, "invalid storage driver \"\(text)\": it is dir, erofs or auto")
        }
        self = driver
    }

    /// Whether the kernel has EROFS and mounts it from a file, without a loop device (Linux 6.12).
    static var kernelMountsFiles: Bool {
        guard let release = try? Files.readText("/proc/sys/kernel/osrelease", limit: 256) else { return false }
        let numbers = release.split { !("0"..."9").contains($0) }.prefix(2).compactMap { Int($0) }
        guard numbers.count == 2, (numbers[0], numbers[1]) >= (6, 12) else { return false }
        return ImageMount.isKnown("erofs")
    }
}
