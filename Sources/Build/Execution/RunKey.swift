import OCI
import Runner

/// What decides a RUN's result beside the layers below: whatever changes what its program sees is in its key.
///
/// Left out on purpose, as with BuildKit: what a cache holds, and proxies. `--add-host` counts with its addresses, which BuildKit
/// leaves out: two builds that were told of different hosts may well have made different files.
struct RunKey {
    let run: RunStep
    let request: BuildRequest
    let platform: Platform
    /// Of what the bind mounts show, by their place among the mounts.
    let binds: [Int: Digest]

    /// Adds all of it.
    func add(to key: inout CacheKey) {
        key["command"] = JSON.strings(run.arguments).text()
        for entry in run.environment { key["environment"] = entry }
        key["user"] = run.user
        key["folder"] = run.workingDirectory
        key["network"] = run.network == .default ? request.network.rawValue : run.network.rawValue
        key["platform"] = platform.description
        for host in request.addedHosts { key["host"] = host }
        key["script"] = run.script.map { "\($0.name)\n\($0.content)" }
        // The usual ones are no inputs, so that steps that an earlier version made stay known.
        if request.sharedMemorySize != BuildRequest.usualSharedMemory {
            key["shared memory"] = "\(request.sharedMemorySize)"
        }
        for limit in request.limits { key["limit"] = "\(limit.type) \(limit.soft) \(limit.hard)" }
        for (number, mount) in run.mounts.enumerated() { key["mount"] = text(mount, binds[number]) }
    }

    private func text(_ step: MountStep, _ content: Digest?) -> String {
        let mount = step.mount
        var words = [mount.kind.rawValue, step.target, mount.isReadOnly ? "ro" : "rw"]
        switch mount.kind {
        case .bind: words.append(content?.description ?? "nothing")
        case .tmpfs: words.append("size=\(mount.size)")
        case .cache:
            words.append("sharing=\((mount.sharing ?? .shared).rawValue)")
            words.append(CacheMount(mount).description)
        case .secret, .ssh: words.append("required=\(mount.isRequired)")
        }
        return JSON.strings(words).text()
    }
}

/// Which cache a `--mount=type=cache` means, and how it begins. One of another owner or mode is another cache, as with BuildKit.
struct CacheMount: Equatable, CustomStringConvertible {
    let id: String
    let owner: Owner
    let mode: UInt32

    init(_ mount: RunMount) {
        id = mount.cacheID
        owner = Owner(uid: mount.uid ?? 0, gid: mount.gid ?? 0)
        mode = mount.mode ?? 0o755
    }

    /// What names its folder; of a usual owner and mode the id alone.
    var description: String {
        if owner == .root, mode == 0o755 { return id }
        return "\(id)\0\(owner.uid):\(owner.gid) \(String(mode, radix: 8))"
    }
}
