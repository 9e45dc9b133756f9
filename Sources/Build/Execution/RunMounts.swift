import CLinux
import Images
import LinuxSystem
import OCI
import Runner

/// `RUN --mount`, made ready.
struct RunMounts {
    private(set) var requests: [MountRequest] = []
    /// Held while the step runs.
    private var caches: [CacheMounts.Hold] = []

    let build: BuildExecution

    init(_ build: BuildExecution) { self.build = build }

    /// A file or folder of a stage, an image or the context. The program sees a copy: what it may write is thrown away,
    /// and what it reads is what the cache key was made of.
    mutating func add(bind step: MountStep, _ sources: CopySources) throws {
        guard let match = sources.matches.first else { return }
        let folder = try build.workspace.folder("bind")
        let draft = try LayerDraft(folder, over: LayerStack(directories: []))
        let isFolder = match.top.status.kind == .directory
        let copy = CopyStep(
            isAdd: false,
            from: step.source,
            sources: [],
            destination: isFolder ? "/" : "/file",
            owner: nil,
            mode: nil,
            link: false,
            parents: false,
            excludes: [],
            unpacksLocal: false,
            unpacksRemote: false,
            keepsGitDirectory: false,
            checksum: nil
        )
        try CopyExecution(
            draft: draft,
            step: copy,
            owner: nil,
            time: build.epoch ?? DraftTime.standard,
            epoch: build.epoch,
            workspace: build.workspace,
            limits: build.images.unpackLimits,
            interruption: build.interruption
        ).copy(sources)
        try draft.finish()
        let source = isFolder ? folder : "\(folder)/file"
        requests.append(
            MountRequest(
                kind: .bind(source: source, create: false),
                destination: step.target,
                readOnly: step.mount.isReadOnly
            )
        )
    }

    /// A folder that outlives the build (`CacheMounts`).
    mutating func add(cache step: MountStep) throws {
        let mount = step.mount
        guard mount.from == nil else {
            throw EngineError(.unsupported, "RUN --mount=type=cache with from= is not supported yet")
        }
        // `private` would give a second build a cache of its own; waiting for the first is as safe.
        let isExclusive = mount.sharing == .locked || mount.sharing == .private
        let hold = try CacheMounts(build.images).hold(CacheMount(mount), isExclusive ? .exclusive : .shared) {
            // Another build has it for as long as its step takes: a signal ends the waiting.
            try build.errand($0)
        }
        caches.append(hold)
        requests.append(
            MountRequest(
                kind: .bind(source: hold.data, create: false),
                destination: step.target,
                readOnly: mount.isReadOnly
            )
        )
    }

    mutating func add(tmpfs step: MountStep) {
        var options = ["exec"]
        if step.mount.size > 0 { options.append("size=\(step.mount.size)") }
        let isReadOnly = step.mount.isReadOnly
        requests.append(
            MountRequest(kind: .tmpfs(options: options), destination: step.target, readOnly: isReadOnly)
        )
    }

    /// A heredoc that is a program.
    mutating func add(script: InlineFile) throws {
        let path = try build.workspace.file("script", script.content.rawBytes, mode: 0o755)
        requests.append(
            MountRequest(
                kind: .bind(source: path, create: false),
                destination: "/dev/pipes/\(script.name)",
                readOnly: true
            )
        )
    }
}
