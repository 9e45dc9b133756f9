import Images
import OCI
import Runner

extension StageExecution {
    /// RUN.
    mutating func run(_ run: RunStep, _ step: BuildStep, at index: Int) throws {
        let reported = steps[index]
        try StageExecution.checkSupport(run)
        var key = try self.key(run)
        var binds: [Int: CopySources] = [:]
        for (number, mount) in run.mounts.enumerated() {
            var text = "\(mount.mount.kind.rawValue) \(mount.target)"
            if mount.mount.kind == .bind {
                let place = ContextFiles.Place(stage: plan.index, step: index, mount: number)
                let sources = try self.sources(of: mount, place, reported)
                binds[number] = sources
                text += " \(sources.digest)"
            }
            key["mount"] = text
        }
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

    /// The parts of the key that no file decides. Proxies are no part of it.
    private func key(_ run: RunStep) throws -> CacheKey {
        var key = self.key("run")
        key["command"] = JSON.strings(run.arguments).text()
        for entry in run.environment { key["environment"] = entry }
        key["user"] = run.user
        key["folder"] = run.workingDirectory
        key["network"] = run.network == .default ? build.request.network.rawValue : run.network.rawValue
        key["platform"] = plan.platform.description
        for host in build.request.addedHosts { key["host"] = host }
        key["script"] = run.script?.content
        return key
    }

    private func sources(of mount: MountStep, _ place: ContextFiles.Place, _ reported: ReportedStep?) throws
        -> CopySources
    {
        if mount.source == .context, let sources = try build.contextFiles.sources(place) { return sources }
        let resolver = try CopyResolver(try tree(of: mount.source, reported), excludes: [])
        return try CopySources(resolver.matches(.path(PathText.clean("/" + mount.mount.source), pattern: nil)))
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
