import CLinux
import Images
import LinuxSystem
import OCI
import Runtime

/// What a crash may leave of containers. The next command that changes something (`Engine.recover`) cleans most of it up; a
/// check only looks.
extension Engine {
    package func containerProblems() throws -> [StoreProblem] {
        try containers.problems { try recover() } + missingLayers() + mountsLeft()
    }

    /// Chain ids of the layers that containers stand on which run.
    package func runningLayers() throws -> Set<Digest> {
        Set(try containers.all().filter { containers.isActive($0.id) }.flatMap(\.layers).compactMap { try? Digest($0) })
    }

    /// Containers whose unpacked layers have gone.
    private func missingLayers() throws -> [StoreProblem] {
        try containers.all().flatMap { record in
            record.layers.compactMap { text in
                guard let chainID = try? Digest(text), !FileStatus.exists(images.layerPath(chainID)) else { return nil }
                let subject = "container \(record.id.prefix(12))"
                let message = "its layer \(chainID) is not unpacked"
                guard let image = try? images.resolve(record.imageID) else {
                    return StoreProblem(subject, "\(message), and its image is not in the store")
                }
                var problem = StoreProblem(subject, message, remedy: "unpacked anew") {
                    _ = try images.unpackedLayers(of: image)
                }
                problem.makes = true
                return problem
            }
        }
    }

    /// Mounts below the containers' folders. Every container has its mounts in a namespace of its own.
    private func mountsLeft() throws -> [StoreProblem] {
        let folders = ["\(images.root)/containers/", "\(state)/containers/", "\(images.root)/tmp/"]
        let points = try Files.readText("/proc/self/mountinfo").split(separator: "\n").compactMap { line in
            line.split(separator: " ").dropFirst(4).first.map(String.init)
        }
        // The last mounted first.
        return points.filter { point in folders.contains { point.hasPrefix($0) } }.reversed().map { point in
            StoreProblem(point, "is still mounted", remedy: "unmounted") {
                try retrying("unmounting", point) { umount2(point, CInt(MNT_DETACH)) }
            }
        }
    }
}

extension ContainerStore {
    /// - Parameter recover: settles containers that have lost their engine.
    func problems(recover: @escaping () throws -> Void) throws -> [StoreProblem] {
        var problems: [StoreProblem] = []
        for id in try activeIDs() where try isOrphan(id) {
            problems.append(
                StoreProblem("container \(id.prefix(12))", "its engine is gone", remedy: "settled") {
                    try recover()
                    // It tells of what it could not do, and goes on with the others.
                    if try isOrphan(id) { throw EngineError(.failed, "it could not be cleaned up") }
                }
            )
        }
        for id in try ids() where !isActive(id) {
            problems += try self.problems(ofResting: id)
        }
        return try problems + looseNames()
    }

    private func activeIDs() throws -> [String] {
        do { return try Files.list("\(state)/active").sorted() } catch {
            if error.code == SystemError.notFound { return [] }
            throw error
        }
    }

    private func isOrphan(_ id: String) throws -> Bool {
        let path = "\(state)/active/\(id)"
        guard let lock = try FileLock.attempt(path, .exclusive, creating: false) else { return false }
        return lock.isStill(at: path)
    }

    /// Containers whose records say nothing. They come first: nobody knows what such a container needs.
    package func unreadableRecords() throws -> [StoreProblem] {
        try ids().compactMap { id in
            if isActive(id) { return nil }
            do { _ = try record(id) } catch { return unreadable(id, error) }
            return nil
        }
    }

    private func unreadable(_ id: String, _ error: any Error) -> StoreProblem {
        let message = "its record cannot be read: \(error)"
        return StoreProblem("container \(id.prefix(12))", message, remedy: "its folder moved to quarantine") {
            try Quarantine(of: root).take(folder(id), as: "container-\(id)")
        }
    }

    /// A container that nobody is at work on.
    private func problems(ofResting id: String) throws -> [StoreProblem] {
        let subject = "container \(id.prefix(12))"
        if FileStatus.exists("\(state)/active/\(id)") { return [] }
        let record: ContainerRecord?
        do { record = try self.record(id) } catch {
            return [unreadable(id, error)]
        }
        guard let record else {
            return [
                StoreProblem(folder(id), "a container's folder without a record", remedy: "removed") {
                    try Files.removeTree(folder(id))
                }
            ]
        }
        var problems: [StoreProblem] = []
        if record.status == .running {
            problems.append(
                StoreProblem(subject, "is recorded as running, and nothing runs it", remedy: "recorded as ended") {
                    try writeState(record.withoutEngine)
                }
            )
        }
        let bundle = bundle(id, removedAtEnd: record.removeAtEnd)
        for name in try Files.list(bundle) where name.hasSuffix(".tmp") {
            problems.append(
                StoreProblem("\(bundle)/\(name)", "was left by a command that was killed", remedy: "removed") {
                    try Files.remove("\(bundle)/\(name)")
                }
            )
        }
        return problems
    }

    /// Names that lead to no container: on the disk, and in STATE to none that an engine is at work on.
    private func looseNames() throws -> [StoreProblem] {
        func isActive(_ id: String) -> Bool { FileStatus.exists("\(state)/active/\(id)") }
        return try looseNames(in: "\(root)/containers/names") { FileStatus.exists(folder($0)) || isActive($0) }
            + looseNames(in: "\(state)/names", unless: isActive)
    }

    private func looseNames(in names: String, unless isThere: (String) -> Bool) throws -> [StoreProblem] {
        guard FileStatus.exists(names) else { return [] }
        return try Files.list(names, followingLink: false).sorted().compactMap { name in
            let link = "\(names)/\(name)"
            guard let id = try? Link.target(link) else {
                return StoreProblem(link, "is no container's name", remedy: "removed") { try Files.removeTree(link) }
            }
            if isThere(id) { return nil }
            return StoreProblem(link, "is the name of a container that does not exist", remedy: "removed") {
                try Files.remove(link)
            }
        }
    }
}
