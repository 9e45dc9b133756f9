import OCI

extension StagePlanner {
    mutating func copy(
        _ copy: CopyInstruction,
        isAdd: Bool,
        _ instruction: Instruction,
        _ isTrigger: Bool
    ) throws(DockerfileError) -> StepParts {
        let sources = try expanded(copy.sources, instruction)
        let destination = try expanded(copy.destination, instruction)
        let owner = try copy.chown.map { (text) throws(DockerfileError) in try expanded(text, instruction) }
        let mode = try copy.chmod.map { (text) throws(DockerfileError) in try expanded(text, instruction) }
        let checksum = try copy.checksum.map { (text) throws(DockerfileError) in try expanded(text, instruction) }
        let files = try inlineFiles(copy.heredocs, instruction)
        try checkChecksum(checksum, sources, instruction)
        var step = CopyStep(
            isAdd: isAdd,
            from: try source(of: copy, instruction),
            sources: [],
            destination: absoluteDestination(destination),
            owner: owner.flatMap { $0.isEmpty ? nil : $0 },
            mode: try modeChange(mode, instruction),
            link: copy.link,
            parents: copy.parents,
            excludes: copy.excludes,
            unpacksLocal: isAdd && copy.unpack ?? true,
            unpacksRemote: copy.unpack ?? false,
            keepsGitDirectory: copy.keepGitDirectory ?? false,
            checksum: checksum
        )
        for source in sources { step.sources.append(try self.source(source, copy, isAdd: isAdd, instruction)) }
        step.sources += files.map { .inline($0) }

        var history = [isAdd ? "ADD" : "COPY"]
        if copy.parents { history.append("--parents") }
        if let owner = step.owner { history.append("--chown=\(owner)") }
        if let mode, !mode.isEmpty { history.append("--chmod=\(mode)") }
        history += sources + files.map { "<<\($0.name)" } + [destination, "# buildkit"]
        var parts = StepParts()
        parts.makesLayer = true
        parts.createdBy = history.joined(separator: " ")
        parts.displayName = displayName(instruction.original, isTrigger: isTrigger)
        parts.action = .copy(step)
        return parts
    }

    private func source(of copy: CopyInstruction, _ instruction: Instruction) throws(DockerfileError) -> FileSource {
        guard let from = copy.from else { return .context }
        let source = try build.source(named: from, instruction, stage.platform)
        if case .stage(let index) = source, index >= stage.index {
            let what = "cannot copy from stage \(GoText.quote(from))"
            throw error(
                "\(what), it needs to be defined before current stage \(GoText.quote(stage.title))",
                instruction
            )
        }
        return source
    }

    /// Heredocs know neither quotes nor the escape directive: only their variables are replaced.
    private mutating func inlineFiles(
        _ heredocs: [Heredoc],
        _ instruction: Instruction
    ) throws(DockerfileError) -> [InlineFile] {
        var files: [InlineFile] = []
        for heredoc in heredocs {
            var content = heredoc.text
            if heredoc.expands {
                content = try expand(content, instruction, with: VariableExpander(options: .ignoreQuotes)).text
            }
            files.append(InlineFile(name: heredoc.name, content: content))
        }
        return files
    }

    private func modeChange(_ text: String?, _ instruction: Instruction) throws(DockerfileError) -> ModeChange? {
        guard let text, !text.isEmpty else { return nil }
        do throws(MessageError) { return try ModeChange(text) } catch { throw self.error(error.message, instruction) }
    }

    private func checkChecksum(
        _ checksum: String?,
        _ sources: [String],
        _ instruction: Instruction
    ) throws(DockerfileError) {
        guard let checksum, !checksum.isEmpty else { return }
        if sources.count != 1 { throw error("checksum can't be specified for multiple sources", instruction) }
        guard RemoteSource(sources[0]) != nil else {
            throw error("checksum requires HTTP(S) or Git sources", instruction)
        }
    }

    private func source(
        _ text: String,
        _ copy: CopyInstruction,
        isAdd: Bool,
        _ instruction: Instruction
    ) throws(DockerfileError) -> CopyStep.Source {
        switch RemoteSource(text) {
        case .url where !isAdd: throw error("source can't be a URL for COPY", instruction)
        case .git where !isAdd: throw error("source can't be a git ref for COPY", instruction)
        case .url: return .url(text)
        case .git: return .git(text)
        case nil: break
        }
        guard copy.parents else { return .path(PathText.clean("/" + text), pattern: nil) }
        // What stands before the pivot is where the copied folders start.
        let parts = StagePlanner.splitAtPivot(text)
        let pattern = PathText.clean("/" + parts.pattern).dropFirst()
        return .path(PathText.clean("/" + parts.root), pattern: String(pattern))
    }

    private static func splitAtPivot(_ text: String) -> (root: String, pattern: String) {
        let scalars = text.scalars
        for at in scalars.indices where scalars[at...].starts(with: "/./".unicodeScalars) {
            return (scalars[..<at].string, scalars[(at + 3)...].string)
        }
        return ("/", text)
    }

    /// Absolute and clean; a `/` or `/.` at the end, which make it a folder, leave a `/`.
    private func absoluteDestination(_ text: String) -> String {
        let path = PathText.join(workingDirectory, text)
        let isDirectory = text.isEmpty || text == "." || text.hasSuffix("/") || text.hasSuffix("/.")
        return isDirectory && path != "/" ? path + "/" : path
    }
}

/// What ADD fetches from elsewhere.
enum RemoteSource {
    case url
    case git

    /// Nil for a path of the context.
    init?(_ text: String) {
        let isHTTP = text.hasPrefix("http://") || text.hasPrefix("https://")
        let path = text.prefix { $0 != "#" && $0 != "?" }
        if text.hasPrefix("git://") || text.hasPrefix("git@") || text.hasPrefix("ssh://")
            || isHTTP && path.hasSuffix(".git")
        {
            self = .git
        } else if isHTTP {
            self = .url
        } else {
            return nil
        }
    }
}
