import Images
import OCI
import Runner

extension StageExecution {
    /// RUN.
    mutating func run(_ run: RunStep, _ step: BuildStep, at index: Int) throws {
        let reported = steps[index]
        try StageExecution.checkSupport(run)
        var binds: [Int: CopySources] = [:]
        for (number, mount) in run.mounts.enumerated() where mount.mount.kind == .bind {
            let place = ContextFiles.Place(stage: plan.index, step: index, mount: number)
            binds[number] = try self.sources(of: mount, place, reported)
        }
        var key = self.key("run")
        let inputs = RunKey(
            run: run,
            request: build.request,
            platform: plan.platform,
            binds: binds.mapValues(\.digest)
        )
        inputs.add(to: &key)
        if let record = cached(key) { return take(record, step, reported) }
        let lower = try stack(reported)
        reported?.start()
        var mounts = RunMounts(build)
        for (number, mount) in run.mounts.enumerated() {
            switch mount.mount.kind {
            case .bind: if let sources = binds[number] { try mounts.add(bind: mount, sources) }
            case .cache: try mounts.add(cache: mount)
            case .tmpfs: mounts.add(tmpfs: mount)
            case .secret, .ssh: break
            }
        }
        if let script = run.script { try mounts.add(script: script) }
        let execution = RunExecution(
            build: build,
            step: run,
            lower: lower,
            mounts: mounts,
            proxies: proxies,
            reported: reported
        )
        try adopt(try execution.run(), step, reported, for: [key])
    }

    private func sources(of mount: MountStep, _ place: ContextFiles.Place, _ reported: ReportedStep?) throws
        -> CopySources
    {
        if mount.source == .context, let sources = try build.contextFiles.sources(place) { return sources }
        let resolver = try CopyResolver(try tree(of: mount.source, reported), excludes: [])
        let path = PathText.clean("/" + mount.mount.source)
        let matches = try resolver.matches(.path(path, pattern: nil))
        if matches.isEmpty { throw CopyResolver.missing(path) }
        return try CopySources(matches, limit: build.sizeLimit)
    }

    private static func checkSupport(_ run: RunStep) throws {
        func refuse(_ what: String) -> EngineError { EngineError(.unsupported, "\(what) is not supported yet") }
        if run.security == .insecure { throw refuse("RUN --security=insecure") }
        if !run.devices.isEmpty { throw refuse("RUN --device") }
        for mount in run.mounts {
            switch mount.mount.kind {
            case .secret, .ssh: throw refuse("RUN --mount=type=\(mount.mount.kind.rawValue)")
            case .bind, .cache, .tmpfs: break
            }
            if case .namedContext(let name) = mount.source { throw refuse("the build context \(GoText.quote(name))") }
        }
    }
}
