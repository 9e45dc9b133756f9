import CLinux
import LinuxSystem
import OCI

/// The folders below `--root`, one for each container:
///
/// ```
/// ROOT/ID/state.json   what its commands know of it
///         config.json  the bundle's, as it was when the container was created
///         notify/      the folder of the container's own NOTIFY_SOCKET, where the caller has one
///         start        the socket on which a created process waits for `start`
///         lock         held by the command that changes the container
/// ```
///
/// The folder's making takes the id. A folder without a state is what a command that was killed has left: `delete` removes it.
package struct ContainerFolder: Sendable {
    package let id: String
    package let path: String

    /// - Throws: `.invalid` for an id that is none: it becomes a path.
    package init(root: String, id: String) throws(EngineError) {
        guard !id.isEmpty else { throw EngineError(.invalid, "container id cannot be empty") }
        let isPlain = id.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "+"), UInt8(ascii: "-"),
                UInt8(ascii: "."):
                true
            default: false
            }
        }
        guard isPlain, id != ".", id != "..", id.utf8.count <= 1024 else {
            throw EngineError(.invalid, "invalid container ID format")
        }
        self.id = id
        path = "\(root)/\(id)"
    }

    package var statePath: String { "\(path)/state.json" }
    package var configurationPath: String { "\(path)/config.json" }
    package var startPath: String { "\(path)/start" }
    var notifyFolder: String { "\(path)/notify" }
    private var lockPath: String { "\(path)/lock" }

    /// Makes the folder, and so takes the id.
    package func claim() throws -> FileLock {
        try Files.makeDirectories(Files.parent(of: path), mode: 0o700)
        if mkdir(path, 0o711) != 0 {
            if errno == EEXIST { throw EngineError(.conflict, "container with given ID already exists") }
            throw SystemError("creating folder", path)
        }
        let lock = try FileLock(lockPath, .exclusive)
        guard lock.isStill(at: lockPath) else {
            throw EngineError(.conflict, "the container was deleted while it was being created")
        }
        return lock
    }

    /// Waits until no other command changes the container.
    ///
    /// - Throws: `.notFound` where there is none.
    package func lock() throws -> FileLock {
        while true {
            guard let lock = try attemptLock() else {
                guard FileStatus.exists(path) else { throw ContainerFolder.missing }
                let waited = try FileLock(lockPath, .exclusive)
                if waited.isStill(at: lockPath) { return waited }
                continue
            }
            return lock
        }
    }

    /// The lock if nobody holds it; nil where somebody does.
    package func attemptLock() throws -> FileLock? {
        guard FileStatus.exists(path) else { throw ContainerFolder.missing }
        guard let lock = try FileLock.attempt(lockPath, .exclusive) else { return nil }
        guard lock.isStill(at: lockPath) else { return nil }
        return lock
    }

    package func read() throws -> ContainerState {
        do {
            return try ContainerState(JSON.parse(try Files.read(statePath)))
        } catch let error as SystemError where error.code == SystemError.notFound {
            throw ContainerFolder.missing
        }
    }

    package func write(_ state: ContainerState, in hierarchy: CgroupHierarchy) throws {
        try Files.replace(statePath, with: state.json(in: hierarchy).bytes(), mode: 0o600)
    }

    package func remove() throws { try Files.removeTree(path) }

    package static let missing = EngineError(.notFound, "container does not exist")
}
