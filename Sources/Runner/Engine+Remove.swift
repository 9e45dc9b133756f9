import CLinux
import Images
import LinuxSystem
import OCI
import Runtime

extension Engine {
    /// Removes a container even while it runs: its processes are killed through its cgroup, whoever is at work on it writes
    /// down the end, and then nothing of it is left. One that has gone meanwhile is removed already.
    ///
    /// - Parameter timeout: how many milliseconds the other engine has to notice the end.
    package func forceRemove(_ container: ContainerRecord, timeout: Int = 10_000) throws {
        let cgroup = Cgroup(try CgroupName(container: container.id), in: try .current())
        let deadline = Clock.monotonic + UInt64(max(timeout, 0)) * 1_000_000
        var pause: useconds_t = 500
        while true {
            // Again each time: a container that was only being made has no process at first.
            try cgroup.kill()
            if !containers.isActive(container.id), try remove(container, cgroup) { return }
            guard Clock.monotonic < deadline else {
                throw EngineError(
                    .failed,
                    "cannot remove container \"/\(container.name)\": could not kill: "
                        + "tried to kill container, but its engine did not notice the end"
                )
            }
            usleep(pause)
            pause = min(pause * 2, 20_000)
        }
    }

    /// False where another command is at work on the container after all.
    private func remove(_ container: ContainerRecord, _ cgroup: Cgroup) throws -> Bool {
        // An engine that was killed leaves its container's processes behind.
        try cgroup.remove()
        do { try containers.remove(container) } catch let error as EngineError {
            guard error.kind == .conflict else { throw error }
            return false
        }
        return true
    }

    /// Removes what neither an image, a container nor one of `roots` needs any more. Where somebody is at work with the store
    /// nothing goes now: whoever lets a lease go looks whether something waits (`ImageStore.awaitsCollection`).
    ///
    /// - Parameter roots: asked for once nobody can add to them any more.
    /// - Returns: what went; nil where somebody is at work.
    @discardableResult
    package func collect(keeping roots: () throws -> CollectionRoots) throws -> CollectionSummary? {
        var whole: CollectionSummary?
        // Before the attempt: who holds a lease now looks for it after letting that go.
        images.awaitCollection()
        repeat {
            guard let lease = try images.exclusive() else { return whole }
            var kept = try roots()
            kept.layers.formUnion(try containerRoots().layers)
            let summary = try images.collect(kept, holding: lease)
            debug(
                "collection: \(summary.blobs) blobs and \(summary.layers) layers that nothing needs, \(summary.bytes) bytes"
            )
            whole = whole.map { $0 + summary } ?? summary
            // Again where something was removed after this collection had read the index.
        } while images.awaitsCollection
        return whole
    }
}
