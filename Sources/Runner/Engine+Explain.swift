import Images
import LinuxSystem
import OCI
import Runtime

extension Engine {
    /// The run that would be carried out, without doing anything: no root is needed for an image that the caller can read.
    ///
    /// - Parameter store: nil for an image outside of any store.
    package static func explain(_ request: RunRequest, image: RunnableImage, store: ImageStore?) throws -> PreparedRun {
        let content = image.content
        let id = String(repeating: "0", count: 64)
        let root = store?.root ?? standardRoot
        let containers = ContainerStore(root: root, state: standardState)
        let chain = ImageStore.chainID(content.configuration.diffIDs)
        let layers = chain.reversed().map { store?.layerFiles($0) ?? "\(root)/layers/dir/\($0.hex)/fs" }
        let top = chain.last.map { store?.layerPath($0) ?? "\(root)/layers/dir/\($0.hex)" } ?? "\(root)/layers/none"
        var surroundings = PreparedRun.Surroundings(
            id: id,
            folder: containers.bundle(id, removedAtEnd: request.options.removeAtEnd),
            layers: ["\(top)/init"] + layers,
            host: try .current(withDevices: request.options.privileged),
            hierarchy: try .current()
        )
        surroundings.dataFolder = containers.folder(id)
        return try PreparedRun(content.configuration.config, request.options, in: surroundings) { path in
            // Unpacked layers where the caller may read them, else the blobs: the answer is the same.
            if layers.allSatisfy({ Files.isReadable($0) }) {
                return try LayerStack(directories: layers).read(path, limit: 1 << 20)
            }
            let budget = ExpansionBudget(store?.unpackLimits.expansion ?? .default, origin: content.origin)
            return try MergedTar.read(
                path: path,
                from: try content.layers.reversed().map { layer in
                    { LimitedSource(decompressing: try content.open(layer: layer.blob), budget) }
                },
                limit: 1 << 20
            )
        }
    }
}
