import Images
import LinuxSystem
import OCI
import Runtime

/// A run as it would be carried out, and what it would find.
package struct Explanation: Sendable {
    package let run: PreparedRun
    /// Folders of the host that are not there and would be made for `-v`.
    package let hostFolders: [String]
    /// Why the run would end before its program begins; nil where nothing is known to be in the way.
    package let obstacle: String?

    /// In words: what is made on the host, the cgroup, the steps.
    package var text: String {
        let folders = hostFolders.map { "  mkdir \($0)\n" }.joined()
        return (folders.isEmpty ? "" : "host:\n\(folders)") + run.text
            + (obstacle.map { "this would fail: \($0)\n" } ?? "")
    }

    /// As data: the specification, the cgroup, the steps.
    package var json: JSON {
        var members = run.json.object ?? []
        members.append((key: "hostFolders", value: .strings(hostFolders)))
        members.append((key: "obstacle", value: obstacle.map { .string($0) } ?? .null))
        return .object(members)
    }
}

extension Engine {
    /// The run that would be carried out, without doing anything: no root is needed for an image that the caller can read.
    ///
    /// - Parameter store: nil for an image outside of any store.
    package static func explain(
        _ request: RunRequest,
        image: RunnableImage,
        root: String = standardRoot,
        state: String = standardState,
        store: ImageStore? = nil
    ) throws -> Explanation {
        let content = image.content
        let options = request.options
        let id = String(repeating: "0", count: 64)
        let root = Files.absolute(root)
        let containers = ContainerStore(root: root, state: Files.absolute(state))
        let chain = ImageStore.chainID(content.configuration.diffIDs)
        let layers = chain.reversed().map { store?.layerFiles($0) ?? "\(root)/layers/dir/\($0.hex)/fs" }
        let top = chain.last.map { store?.layerPath($0) ?? "\(root)/layers/dir/\($0.hex)" } ?? "\(root)/layers/none"
        var surroundings = PreparedRun.Surroundings(
            id: id,
            folder: containers.bundle(id, removedAtEnd: options.removeAtEnd),
            layers: ["\(top)/init"] + layers,
            host: try .current(withDevices: options.privileged),
            hierarchy: try .current()
        )
        surroundings.dataFolder = containers.folder(id)
        let files = ImageFiles(
            layers: layers,
            content: content,
            expansion: store?.unpackLimits.expansion ?? .default
        )
        let run = try PreparedRun(content.configuration.config, options, in: surroundings) { path in
            try files.read(path, limit: UserDatabase.fileLimit)
        }
        return Explanation(
            run: run,
            hostFolders: missingFolders(of: options),
            obstacle: ProgramSearch(spec: run.spec, files: files).obstacle
        )
    }

    private static func missingFolders(of options: ContainerOptions) -> [String] {
        options.mounts.compactMap { mount in
            guard case .bind(let source, create: true) = mount.kind, !FileStatus.exists(source) else { return nil }
            return source
        }
    }
}

/// An image's files: unpacked layers where the caller may read them, else the blobs; the answer is the same.
private struct ImageFiles {
    let layers: [String]
    let content: any ImageContent
    let expansion: ExpansionLimits

    private var stack: LayerStack? {
        layers.allSatisfy { Files.isReadable($0) } ? LayerStack(directories: layers) : nil
    }

    func read(_ path: String, limit: Int) throws -> [UInt8]? {
        if let stack { return try stack.read(path, limit: limit) }
        let budget = ExpansionBudget(expansion, origin: content.origin)
        return try MergedTar.read(
            path: path,
            from: try content.layers.reversed().map { layer in
                { LimitedSource(decompressing: try content.open(layer: layer.blob), budget) }
            },
            limit: limit
        )
    }

    /// Whether a file stands there; nil where that cannot be told.
    func hasFile(_ path: String) -> Bool? {
        do {
            if let stack { return try stack.lookup(path).map { $0.status.kind == .file } ?? false }
            return try read(path, limit: 64 << 20) != nil
        } catch {
            return nil
        }
    }
}

/// Looks for the program that a container would execute.
private struct ProgramSearch {
    let spec: RuntimeSpec
    let files: ImageFiles

    /// In the words of the run that would fail.
    var obstacle: String? {
        guard let program = spec.process.args.first, !program.isEmpty else { return nil }
        if program.utf8.contains(UInt8(ascii: "/")) {
            let path = program.isAbsolutePath ? program : "\(spec.process.cwd)/\(program)"
            return isMissing(path) ? "exec: \"\(program)\": stat \(program): no such file or directory" : nil
        }
        let search = spec.process.env.last { $0.hasPrefix("PATH=") }?.dropFirst(5) ?? ""
        let folders = search.split(separator: ":", omittingEmptySubsequences: false)
        let places = folders.map { $0.isEmpty ? "\(spec.process.cwd)/\(program)" : "\($0)/\(program)" }
        return places.allSatisfy(isMissing) ? "exec: \"\(program)\": executable file not found in $PATH" : nil
    }

    /// Whether there is surely nothing; what a mount would bring is not looked at.
    private func isMissing(_ path: String) -> Bool {
        let covered = spec.mounts.contains { path == $0.destination || path.hasPrefix($0.destination + "/") }
        return !covered && files.hasFile(path) == false
    }
}
