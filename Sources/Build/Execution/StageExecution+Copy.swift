import Images
import OCI
import Runner

extension StageExecution {
    /// COPY and ADD.
    ///
    /// The key of what comes from the context is made of the files. What comes from a stage or an image has two keys:
    /// one of that stage's layers, for which nothing has to be unpacked, and one of the files, so that a stage that was
    /// built again and gives the same files changes nothing.
    mutating func copy(_ copy: CopyStep, _ step: BuildStep, at index: Int) throws {
        let reported = steps[index]
        var keys: [CacheKey] = []
        if let origin = try chain(of: copy.from) {
            var key = self.key(copy, step)
            key["origin"] = origin
            for source in copy.sources { key["source"] = "\(source)" }
            key["excludes"] = copy.excludes.isEmpty ? nil : copy.excludes.joined(separator: "\n")
            if let record = cached(key) { return take(record, step, reported) }
            keys.append(key)
        }
        let sources = try self.sources(of: copy, at: index, reported)
        var key = self.key(copy, step)
        key["content"] = sources.digest.description
        keys.append(key)
        if let record = cached(key) {
            for other in keys.dropLast() { try build.cache.store(record, for: other) }
            return take(record, step, reported)
        }
        let lower = try stack(reported)
        reported?.start()
        let draft = try LayerDraft(
            try build.workspace.folder("layer"),
            over: copy.link ? LayerStack(directories: []) : lower,
            below: lower
        )
        let execution = CopyExecution(
            draft: draft,
            step: copy,
            owner: try copy.owner.map { try owner($0, in: lower) },
            time: time,
            epoch: build.epoch,
            workspace: build.workspace,
            limits: build.images.unpackLimits,
            interruption: build.interruption
        )
        try execution.copy(sources)
        try draft.finish()
        try adopt(draft.folder, step, reported, for: keys)
    }

    /// What decides the result beside the files. An owner's name means what the layers below say, which the key has.
    ///
    /// With `--link` the layer does not depend on those below at all, unless names have to be looked up in them.
    private func key(_ copy: CopyStep, _ step: BuildStep) -> CacheKey {
        let hasNames = copy.owner?.utf8.contains { !($0 == UInt8(ascii: ":") || (0x30...0x39).contains($0)) } ?? false
        let isFree = copy.link && !hasNames
        let kind = (copy.isAdd ? "add" : "copy") + (copy.link ? " --link" : "")
        var key = CacheKey(kind, parent: isFree ? nil : state.chainID, epoch: build.epoch)
        key["destination"] = copy.destination + (copy.needsDirectory ? "/" : "")
        key["owner"] = copy.owner
        key["mode"] = copy.mode.map { "\($0)" }
        if copy.isAdd { key["unpack"] = "\(copy.unpacksLocal)" }
        return key
    }

    /// The layers of a stage or an image that files come from; nil for the context.
    func chain(of source: FileSource) throws -> String? {
        switch source {
        case .context: return nil
        case .empty: return "scratch"
        case .stage(let index): return build.stages[index]?.chainID?.description ?? "scratch"
        case .image(let request): return build.baseImages[request]?.chainIDs.last?.description ?? "scratch"
        case .namedContext(let name):
            throw EngineError(
                .unsupported,
                "the build context \(GoText.quote(name)): only the main one is supported yet"
            )
        }
    }

    private mutating func sources(of copy: CopyStep, at index: Int, _ reported: ReportedStep?) throws -> CopySources {
        let place = ContextFiles.Place(stage: plan.index, step: index)
        if copy.from == .context, let sources = try build.contextFiles.sources(place) { return sources }
        let resolver = try CopyResolver(try tree(of: copy.from, reported), excludes: copy.excludes)
        return try CopySources(copy.sources.flatMap { try resolver.matches($0) }, limit: build.sizeLimit)
    }

    /// The files of another stage or of an image, unpacked.
    func tree(of source: FileSource, _ reported: ReportedStep?) throws -> any SourceTree {
        var stack = LayerStack(directories: [])
        switch source {
        case .stage(let index):
            if let stage = build.stages[index] {
                if let base = stage.base { try build.bring(base, reported) }
                stack = try build.images.unpackedLayers(of: stage.content(in: build.images))
            }
        case .image(let request):
            if let image = build.baseImages[request] {
                reported?.start()
                try build.bring(request, reported)
                stack = try build.images.unpackedLayers(of: image) { reported?.unpacking($0) }
            }
        case .context, .namedContext, .empty: break
        }
        return MergedTree(stack, digests: build.digests, interruption: build.interruption)
    }

    /// `user`, `user:group`, names or numbers, by the stage's own files. Of a user alone the group is the user's: the
    /// account's by name, and for a number the same number.
    func owner(_ text: String, in stack: LayerStack) throws -> Owner {
        if text.isEmpty { return .root }
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let users = UserDatabase(
            passwd: try stack.read("/etc/passwd", limit: UserDatabase.fileLimit),
            group: try stack.read("/etc/group", limit: UserDatabase.fileLimit)
        )
        let uid = parts[0].isEmpty ? 0 : try users.user(parts[0])
        if parts.count == 2, !parts[1].isEmpty { return Owner(uid: uid, gid: try users.group(parts[1])) }
        if try UserDatabase.number(parts[0]) != nil { return Owner(uid: uid, gid: uid) }
        return Owner(uid: uid, gid: try users.identity(parts[0], addedGroups: []).user.gid)
    }
}
