import CLinux
import LinuxSystem
import OCI

/// Images on the disk: a standard OCI image layout and the layers unpacked from it.
///
/// ```
/// version                   "1\n"
/// images/                   an OCI image layout that other tools can read: oci-layout, index.json, blobs/sha256/HEX
/// layers/dir/CHAINHEX/      fs/ (the layer in overlayfs form) and layer.json (LayerRecord)
/// layers/erofs/CHAINHEX/    layer.erofs (the same as an image) and layer.json
/// partial/HEX               blobs of which a part was fetched (PartialBlob); those of yesterday go with `collect`
/// tmp/                      what is being made; emptied by `collect`
/// uncollected               there while removed content waits for a collection (`collectWhenFree`)
/// spare                     room for index.json on a full disk
/// limits.json               StoreLimits
/// quarantine/               damaged content that `system check --repair` took out
/// lock                      StoreLease (shared), CollectionLease (exclusive)
/// index.lock                held while index.json is changed
/// ```
///
/// Any number of processes may use one store at once. Blobs and unpacked layers appear whole or not at all, and
/// index.json is replaced in one step. A value of this type holds no descriptors and no cache: it is the root's path, and
/// what to do with new layers.
package struct ImageStore: Sendable, Equatable {
    /// An absolute path.
    package let root: String
    /// Where layers that are images are mounted: a folder that a reboot empties.
    package let mounts: String
    /// What layers become when they are unpacked. Those that are unpacked already stay what they are.
    package var driver = StorageDriver.dir
    /// What a layer may hold.
    package var unpackLimits = UnpackLimits.default

    /// The format of the folders below the root. Another one is refused.
    static let version = "1\n"

    /// Opens the store at `root` and creates it if there is none: one small file is read when there is one.
    ///
    /// - Parameter mounts: where layers are mounted; nil for a folder of the store's own.
    package init(root: String, mounts: String? = nil) throws {
        self.root = ImageStore.isPlain(root) ? root : Files.absolute(root)
        self.mounts = mounts ?? self.root + "/mounted"
        if let found = try storedVersion() { try check(found) } else { try create() }
    }

    /// Whether a path is its own absolute form. Making one costs 0.1 ms in a fresh process, a third of finding an
    /// image.
    private static func isPlain(_ path: String) -> Bool {
        var previous = UInt8(ascii: "/")
        for (position, byte) in path.utf8.enumerated() {
            let startsPart = previous == UInt8(ascii: "/")
            if position == 0 ? byte != previous : startsPart && (byte == UInt8(ascii: "/") || byte == UInt8(ascii: "."))
            {
                return false
            }
            previous = byte
        }
        return previous != UInt8(ascii: "/")
    }

    private func storedVersion() throws -> String? {
        do {
            let text = try Files.readText(path("version"), limit: 64)
            // Nothing in it says nothing: as if it were missing.
            return text.isEmpty ? nil : text
        } catch {
            if error.code == ENOENT { return nil }
            throw error
        }
    }

    private func check(_ version: String) throws {
        if version == ImageStore.version { return }
        let text = version.prefix { $0 != "\n" }
        throw EngineError(
            .unsupported,
            "the store \(root) has format \"\(text)\" and this minirun only knows format \"1\"",
            hint: "use the minirun that made it, or another folder with --root"
        )
    }

    /// Creates what is missing. `version` comes last: a store that has it is complete.
    private func create() throws {
        try Files.makeDirectories(Files.parent(of: root))
        if mkdir(root, 0o711) == 0 {
            chmod(root, 0o711)
        } else if errno != EEXIST {
            throw SystemError("creating folder", root)
        }
        // Two first commands at once: the second must not put an empty index in place of the first one's.
        try FileLock(path("lock"), .exclusive).during {
            if let found = try storedVersion() { try check(found) } else { try fill() }
        }
    }

    private func fill() throws {
        for folder in ["images", "images/blobs", "images/blobs/sha256", "layers", "layers/dir", "tmp"] {
            try Files.makeDirectories(path(folder), mode: 0o700)
        }
        for folder in ["build", "containers"] { try Files.makeDirectories(path(folder), mode: 0o700) }
        try writeLayoutFile()
        if !FileStatus.exists(indexPath) {
            try Files.replace(indexPath, with: ImageIndex().json.bytes(), durable: true)
        }
        try Files.replace(path("version"), with: Array(ImageStore.version.utf8), durable: true)
    }

    /// What makes `images/` an image layout (image-spec, image-layout.md).
    func writeLayoutFile() throws {
        try Files.replace(
            path("images/oci-layout"),
            with: Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8),
            durable: true
        )
    }

    func path(_ name: String) -> String { root + "/" + name }
    var indexPath: String { path("images/index.json") }
    var blobFolder: String { path("images/blobs/sha256") }
    var temporaryFolder: String { path("tmp") }
    /// There while something was removed whose content is not collected yet.
    var uncollectedPath: String { path("uncollected") }
    /// Some blocks that the next index.json can have.
    var sparePath: String { path("spare") }
    var partialFolder: String { path("partial") }
}

/// Keeps everything in the store while it lives: for content that no reference and no container's record holds yet,
/// such as the blobs of an image that is being pulled, or the layers of a container that is being created.
package struct StoreLease: ~Copyable, Sendable {
    private let lock: FileLock
    fileprivate init(_ lock: consuming FileLock) { self.lock = lock }

    /// Keeps the lease while `body` runs.
    package func during<R>(_ body: () throws -> R) rethrows -> R { try lock.during(body) }
}

extension FileLock {
    /// Keeps the lock while `body` runs. Without the extension an optimized build lets a lock go after its last use, and
    /// that is before `body`.
    package func during<R>(_ body: () throws -> R) rethrows -> R { try withExtendedLifetime(self, body) }
}

/// The right to remove content: nobody has a `StoreLease` while it lives, and whoever wants one waits.
package struct CollectionLease: ~Copyable, Sendable {
    private let lock: FileLock
    fileprivate init(_ lock: consuming FileLock) { self.lock = lock }

    /// Keeps the lease while `body` runs.
    package func during<R>(_ body: () throws -> R) rethrows -> R { try lock.during(body) }
}

extension ImageStore {
    /// Waits while a collection runs, which is short. Leases may be nested. A killed holder's lease ends with it.
    package func lease() throws -> StoreLease { StoreLease(try FileLock(path("lock"), .shared)) }

    /// The right to collect, or nil at once while somebody holds a lease: the next removal will collect then.
    package func exclusive() throws -> CollectionLease? {
        guard let lock = try FileLock.attempt(path("lock"), .exclusive) else { return nil }
        return CollectionLease(lock)
    }
}
