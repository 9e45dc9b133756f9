import CLinux
import LinuxSystem
import OCI

/// The containers on the disk, and who is at work on each.
///
/// ```
/// ROOT/containers/ID/        upper/ and work/ of its overlay; and unless it is removed at its end:
///                            container.json (what was asked for: its being there makes the container), state.json (what has
///                            become of it; none means created), config.json (with rootfs/: an OCI bundle), hosts, hostname,
///                            resolv.conf
/// ROOT/containers/names/NAME a link to the id of a container that stays
/// STATE/containers/ID/       the same files of a container that is removed at its end (on a tmpfs: nothing of it needs to
///                            reach the disk)
/// STATE/active/ID            locked by the engine that makes or runs the container, holds its name; gone when it is done. Who
///                            waits for the end has it open: the exit code is its second line then
/// STATE/names/NAME           a link to the id of a container that an engine runs; making one takes the name, unless a
///                            container that stays has it
/// STATE/boot                 there since the first command after a boot
/// ROOT/state                 which STATE the containers are of, locked (shared) by every engine that runs one (StateClaim)
/// ```
///
/// A container whose `active` file nobody has locked has lost its engine, and so its processes: the next command cleans it up.
package struct ContainerStore: Sendable {
    package let root: String
    package let state: String

    package init(root: String, state: String) {
        self.root = root
        self.state = state
    }

    /// The folder on the disk: the overlay's upper and work folders are in it.
    package func folder(_ id: String) -> String { "\(root)/containers/\(id)" }

    /// The folder of the bundle and the state file.
    package func bundle(_ id: String, removedAtEnd: Bool) -> String {
        removedAtEnd ? "\(state)/containers/\(id)" : folder(id)
    }
    private func namePath(_ name: String) -> String { "\(root)/containers/names/\(name)" }
    private func activeNamePath(_ name: String) -> String { "\(state)/names/\(name)" }
    private func activePath(_ id: String) -> String { "\(state)/active/\(id)" }

    // MARK: Life of one container

    /// A container that is this process's own until it lets go of this value.
    package struct Claim: ~Copyable {
        let lock: FileLock
        /// Keeps another STATE from this ROOT.
        let state: FileLock
        package let id: String
        package let name: String
    }

    /// Takes an id and a name for a new container, before anything else of it exists: whoever dies from here on leaves a
    /// trace that the next command follows.
    ///
    /// - Parameter removedAtEnd: then nothing of the name reaches the disk.
    package func claim(id: String, name wanted: String?, removedAtEnd: Bool) throws -> Claim {
        if let wanted { try ContainerName.check(wanted) }
        for _ in 0..<100 {
            let name = try wanted ?? ContainerName.random()
            do {
                return try claim(id: id, exactly: name, removedAtEnd: removedAtEnd)
            } catch let error as EngineError where error.kind == .conflict && wanted == nil {
                continue
            }
        }
        throw EngineError(.failed, "no free container name was found")
    }

    private func claim(id: String, exactly name: String, removedAtEnd: Bool) throws -> Claim {
        try Files.makeDirectories("\(state)/active", mode: 0o700)
        let owner = try StateClaim(root: root, state: state).hold()
        let path = activePath(id)
        let lock = try lockNew(path, holding: name)
        do {
            try take(name, for: id, removedAtEnd: removedAtEnd)
        } catch {
            // What is wrong is this; a name that stays is the next command's to take away.
            try? Files.remove(path)
            throw error
        }
        return Claim(lock: lock, state: owner, id: id, name: name)
    }

    /// Makes the name's links, or leaves nothing. The one in STATE comes first, and with every container: of two that want one
    /// name in the same moment, only its maker looks whether the name is free on the disk.
    private func take(_ name: String, for id: String, removedAtEnd: Bool) throws {
        try Files.makeDirectories("\(state)/names", mode: 0o700)
        try link(activeNamePath(name), name, to: id)
        do {
            if removedAtEnd {
                if FileStatus.exists(namePath(name)) { throw isTaken(name, by: namePath(name)) }
            } else {
                try Files.makeDirectories("\(root)/containers/names", mode: 0o700)
                try link(namePath(name), name, to: id)
            }
        } catch {
            try? Files.remove(activeNamePath(name))
            throw error
        }
    }

    private func link(_ path: String, _ name: String, to id: String) throws {
        do {
            try Link.create(path, to: id)
        } catch {
            throw error.code == SystemError.exists ? isTaken(name, by: path) : error
        }
    }

    private func isTaken(_ name: String, by link: String) -> EngineError {
        EngineError(
            .conflict,
            "Conflict. The container name \"/\(name)\" is already in use by container "
                + "\"\((try? Link.target(link)) ?? "")\". "
                + "You have to remove (or rename) that container to be able to reuse that name."
        )
    }

    /// Takes a container that is there and that nobody is at work on, to run it.
    ///
    /// - Parameter record: becomes what it is now that nobody else can change it.
    /// - Throws: `conflict` where it runs already, or another command is at work on it.
    package func claim(_ record: inout ContainerRecord) throws -> Claim {
        try Files.makeDirectories("\(state)/active", mode: 0o700)
        let owner = try StateClaim(root: root, state: state).hold()
        guard let lock = try claimAlone(record.id) else {
            throw EngineError(
                .conflict,
                "container \(record.id.prefix(12)) is running, or another command is at work on it"
            )
        }
        guard let now = try self.record(record.id) else {
            try Files.remove(activePath(record.id))
            throw EngineError(.notFound, "No such container: \(record.id)")
        }
        // Its engine was killed a moment ago: the file stays, for whoever cleans up after it.
        guard now.status != .running else {
            throw EngineError(.conflict, "container \(now.id.prefix(12)) was running until now")
        }
        do {
            try Files.write(activePath(now.id), Array(now.name.utf8), mode: 0o600)
            try Files.makeDirectories("\(state)/names", mode: 0o700)
            try link(activeNamePath(now.name), now.name, to: now.id)
        } catch {
            try? Files.remove(activePath(now.id))
            throw error
        }
        record = now
        return Claim(lock: lock, state: owner, id: now.id, name: now.name)
    }

    /// Creates an `active` file, locks it and writes the name into it. In place, not under another name first, which nobody
    /// would clean up after us.
    private func lockNew(_ path: String, holding name: String) throws -> FileLock {
        while true {
            guard let lock = try FileLock.attempt(path, .exclusive) else { continue }
            // Before it was locked a recovering command may have taken the file for an orphan and removed it.
            guard lock.isStill(at: path) else { continue }
            try Files.write(path, Array(name.utf8), mode: 0o600)
            return lock
        }
    }

    /// Writes what was asked for, in one step: from here on there is a container.
    package func create(_ record: ContainerRecord) throws {
        try write(record.configurationJSON(), as: "container.json", of: record, durable: false)
    }

    /// Writes what has become of it, in one step.
    /// - Parameter durable: whether it is to survive a power cut when this returns. `sync` does that later.
    package func writeState(_ record: ContainerRecord, durable: Bool = false) throws {
        try write(record.state.json(of: record.id), as: "state.json", of: record, durable: durable)
    }

    private func write(_ json: JSON, as name: String, of record: ContainerRecord, durable: Bool) throws {
        let folder = bundle(record.id, removedAtEnd: record.removeAtEnd)
        let bytes = json.bytes()
        guard bytes.count <= ContainerRecord.limit else {
            throw EngineError(.invalid, "the container's record would have \(bytes.count) bytes: that is too much")
        }
        try Files.replace("\(folder)/\(name)", with: bytes, mode: 0o600, durable: durable)
    }

    /// Sees to it that a container that stays, its name and its record survive a power cut.
    package func sync(_ record: ContainerRecord) throws {
        if record.removeAtEnd { return }
        let folder = folder(record.id)
        try FileDescriptor.open("\(folder)/container.json").sync()
        // None of one that was never started.
        if FileStatus.exists("\(folder)/state.json") { try FileDescriptor.open("\(folder)/state.json").sync() }
        for path in ["\(folder)/container.json", folder, namePath(record.name)] {
            try Files.syncDirectory(of: path)
        }
    }

    /// Tells those who wait for the container's end how it ended.
    package func note(_ exitCode: Int32, in claim: borrowing Claim) throws {
        let file = try FileDescriptor.open(activePath(claim.id), O_WRONLY | O_APPEND | O_NOFOLLOW)
        try file.write("\n\(exitCode)")
    }

    /// Waits until no engine is at work on a container any more.
    ///
    /// - Returns: its exit code where its engine has told it; nil where it was killed, or nobody was at work on it.
    package func waitForEnd(of id: String) throws -> Int32? {
        let path = activePath(id)
        guard FileStatus.exists(path) else { return nil }
        let file: FileDescriptor
        do throws(SystemError) { file = try FileDescriptor.open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW) } catch {
            if error.code == SystemError.notFound { return nil }
            throw error
        }
        // Of the file that was opened: its name may go before this returns.
        try file.waitForLock()
        let lines = String(decoding: try file.readAll(limit: 4096), as: UTF8.self).split(separator: "\n")
        return lines.count > 1 ? Int32(lines[1]) : nil
    }

    /// The container stays, as `ps -a` shows it; this process is done with it.
    package func release(_ claim: borrowing Claim) throws { try end(claim.id, name: claim.name) }

    /// No engine is at work on the container any more.
    private func end(_ id: String, name: String) throws {
        if !name.isEmpty { try remove(activeNamePath(name), of: id) }
        try Files.remove(activePath(id))
    }

    /// Removes a name's link if it is the container's.
    private func remove(_ link: String, of id: String) throws {
        if (try? Link.target(link)) == id { try Files.remove(link) }
    }

    /// Removes a container of this process with all that is on the disk of it.
    package func remove(_ claim: borrowing Claim) throws { try erase(id: claim.id, name: claim.name) }

    private func erase(id: String, name: String) throws {
        try Files.removeTree(bundle(id, removedAtEnd: true))
        try Files.removeTree(folder(id))
        if !name.isEmpty { try remove(namePath(name), of: id) }
        try end(id, name: name)
    }

    // MARK: All containers

    /// All containers, the newest first.
    /// - Parameter unreadable: called for a container whose record cannot be read; nil makes that an error, as it must be for
    ///   whoever removes what no container needs.
    package func all(unreadable: ((_ id: String, _ error: any Error) -> Void)? = nil) throws -> [ContainerRecord] {
        var records: [ContainerRecord] = []
        for id in try ids() {
            do { if let record = try current(id) { records.append(record) } } catch {
                guard let unreadable else { throw error }
                unreadable(id, error)
            }
        }
        return records.sorted { $0.created > $1.created }
    }

    /// The names of the containers' folders, which should be ids, and are not where somebody else made them.
    func ids() throws -> [String] {
        do {
            return try Files.list("\(root)/containers", followingLink: false).filter { $0 != "names" }
        } catch {
            if error.code == SystemError.notFound { return [] }
            throw error
        }
    }

    /// One container; nil where it has gone, or has not come so far.
    /// - Throws: where there is a record that says nothing, or is another container's.
    package func record(_ id: String) throws -> ContainerRecord? {
        guard ContainerName.isID(id) else { return nil }
        for isRemoved in [true, false] {
            let folder = bundle(id, removedAtEnd: isRemoved)
            let configuration = try document("\(folder)/container.json", of: id)
            let state = try document("\(folder)/state.json", of: id)
            guard configuration != nil || state != nil else { continue }
            let record: ContainerRecord
            do throws(EngineError) {
                if let configuration {
                    record = try ContainerRecord(configuration: configuration, state: state)
                } else {
                    record = try ContainerRecord(older: state ?? .null)
                }
            } catch { throw unreadable(id, error.message) }
            guard record.id == id, record.removeAtEnd == isRemoved, state == nil || state?["id"]?.string == id else {
                throw unreadable(id, "it is another container's")
            }
            return record
        }
        return nil
    }

    /// What a container is now: one that is recorded as running while no engine is at work on it has lost its engine, and was ended
    /// by the next command. That its record says so may have to wait for room on the disk.
    private func current(_ id: String) throws -> ContainerRecord? {
        guard let record = try record(id) else { return nil }
        if record.status != .running || isActive(id) { return record }
        // Of another STATE's containers nothing is known here.
        guard (try? checkState()) != nil else { return record }
        // Again: it may have ended well since it was read.
        let last = try self.record(id)
        return last?.status == .running ? last?.withoutEngine : last
    }

    /// A file of a container; nil where there is none.
    private func document(_ file: String, of id: String) throws -> JSON? {
        let bytes: [UInt8]
        do throws(SystemError) { bytes = try Files.read(file, limit: ContainerRecord.limit) } catch {
            // A file where a container's folder should be has no record either.
            if error.code == SystemError.notFound || error.code == SystemError.notFolder { return nil }
            throw unreadable(id, "\(error)")
        }
        do throws(EngineError) { return try JSON.parse(bytes) } catch { throw unreadable(id, error.message) }
    }

    private func unreadable(_ id: String, _ why: String) -> EngineError {
        EngineError(
            .corrupt,
            "the record of container \(id.prefix(12)) cannot be read: \(why)",
            hint: "\"minirun system check --repair\" moves the container to \(root)/quarantine"
        )
    }

    /// The same for what a person typed: docker's names may begin with a slash.
    package func named(_ text: String) throws -> ContainerRecord { try find(String(text.drop { $0 == "/" })) }

    /// Finds a container by its name, its id, or the beginning of its id.
    package func find(_ text: String) throws -> ContainerRecord {
        let missing = EngineError(.notFound, "No such container: \(text)")
        guard !text.isEmpty, !text.contains("/") else { throw missing }
        for link in [activeNamePath(text), namePath(text)] {
            if let id = try? Link.target(link), let record = try current(id) { return record }
        }
        let matches = try ids().filter { $0.hasPrefix(text) && ContainerName.isID($0) }
        if matches.count > 1 {
            throw EngineError(.invalid, "Multiple IDs found with provided prefix: \(text)")
        }
        guard let id = matches.first, let record = try current(id) else { throw missing }
        return record
    }

    /// Removes a container that no engine runs.
    package func remove(_ record: ContainerRecord) throws {
        let deadline = Clock.monotonic + 10_000_000_000
        while true {
            if let lock = try claimAlone(record.id) {
                try lock.holding { try erase(id: record.id, name: record.name) }
                return
            }
            // Whoever has the lock of a container that has ended is cleaning it up, and soon done; one that is being made soon runs.
            let now = try self.record(record.id)
            if let now, now.status != .running, Clock.monotonic < deadline {
                usleep(1000)
                continue
            }
            if now == nil { return }
            throw EngineError(
                .conflict,
                "cannot remove container \"/\(record.name)\": container is running: stop the container before removing or force remove"
            )
        }
    }

    /// The lock of a container that no engine runs; nil where one does, or another command is at work on it.
    private func claimAlone(_ id: String) throws -> FileLock? {
        try Files.makeDirectories("\(state)/active", mode: 0o700)
        let path = activePath(id)
        for _ in 0..<1000 {
            if let lock = try FileLock.attempt(path, .exclusive) {
                // Another command may have taken the file for an orphan's, and removed it, before it was locked.
                if lock.isStill(at: path) { return lock }
                continue
            }
            // An engine's is exclusive. Where a shared one can be had, somebody only looks.
            guard let look = try FileLock.attempt(path, .shared) else { return nil }
            _ = consume look
            usleep(100)
        }
        return nil
    }

    /// Whether an engine is at work on the container.
    package func isActive(_ id: String) -> Bool {
        do {
            // Shared: who looks keeps nobody else who looks from seeing the same, nor a removal from its work.
            guard let lock = try FileLock.attempt(activePath(id), .shared, creating: false) else {
                return FileStatus.leadsSomewhere(activePath(id))
            }
            _ = consume lock
            return false
        } catch {
            return true
        }
    }

    // MARK: After a crash

    /// Cleans up after engines that were killed and after a reboot. `forget` removes what a container had in the kernel: its
    /// cgroup, with whatever may still run in it.
    ///
    /// - Parameter failed: called for a container that cannot be cleaned up now. It stays for the next command: it must not
    ///   keep this one from its work.
    package func recover(forget: (String) throws -> Void, failed: (String, any Error) -> Void) throws {
        let isNew = try StateClaim(root: root, state: state).take()
        if isNew || !FileStatus.exists("\(state)/boot") { try recoverAfterBoot(forget: forget, failed: failed) }
        let active: [String]
        do { active = try Files.list("\(state)/active") } catch {
            if error.code == SystemError.notFound { return }
            throw error
        }
        for id in active where ContainerName.isID(id) {
            // One that has gone since it was listed has ended well, and must not be taken for an orphan.
            guard let lock = try FileLock.attempt(activePath(id), .exclusive, creating: false),
                lock.isStill(at: activePath(id))
            else {
                continue
            }
            do {
                try forget(id)
                try settle(id)
            } catch {
                failed(id, error)
            }
            _ = consume lock
        }
    }

    /// STATE lies on a tmpfs: after a boot nothing runs, whatever the state files say. Nor does anything where another STATE
    /// had this ROOT until now.
    private func recoverAfterBoot(forget: (String) throws -> Void, failed: (String, any Error) -> Void) throws {
        try Files.makeDirectories("\(state)/active", mode: 0o700)
        // What has an `active` file here is seen to afterwards.
        for id in try ids() where ContainerName.isID(id) && !FileStatus.exists(activePath(id)) {
            guard let lock = try FileLock.attempt(activePath(id), .exclusive) else { continue }
            do {
                if try record(id)?.status != .exited { try forget(id) }
                try settle(id)
            } catch {
                // It stays as it is, and nothing is at work on it.
                try? Files.remove(activePath(id))
                failed(id, error)
            }
            _ = consume lock
        }
        try removeLooseNames()
        try Files.createEmpty("\(state)/boot")
    }

    /// Throws where the containers that are at work on ROOT are another STATE's, and so unknown here.
    package func checkState() throws { try StateClaim(root: root, state: state).check() }

    /// Names whose containers never came so far as to have a folder: with STATE went what said so.
    private func removeLooseNames() throws {
        guard FileStatus.exists("\(root)/containers/names") else { return }
        for name in try Files.list("\(root)/containers/names") {
            // One that is being made at this moment has its `active` file before its name.
            guard let id = try? Link.target(namePath(name)), ContainerName.isID(id), !FileStatus.exists(folder(id))
            else {
                continue
            }
            if !FileStatus.exists(activePath(id)) { try Files.remove(namePath(name)) }
        }
    }

    /// What a container is whose engine is gone: removed if it was to be removed or never came into being, else ended by
    /// SIGKILL. One whose record is there and says nothing stays with all its files.
    private func settle(_ id: String) throws {
        // After a boot the `active` file is gone; the record has the name, too.
        let text = ((try? Files.readText(activePath(id), limit: 4096)) ?? "").prefix { $0 != "\n" }
        let noted = ContainerName.isValid(String(text)) ? String(text) : ""
        // What has a folder in STATE was to be removed at its end, whatever its record says.
        if FileStatus.exists(bundle(id, removedAtEnd: true)) { return try erase(id: id, name: noted) }
        guard let record = try record(id) else { return try erase(id: id, name: noted) }
        // One that was only created has lost nothing.
        if record.status == .running { try writeState(record.withoutEngine, durable: true) }
        try end(id, name: noted.isEmpty ? record.name : noted)
    }
}
