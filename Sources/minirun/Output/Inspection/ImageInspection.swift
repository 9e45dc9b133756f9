import Images
import OCI

/// An image as docker's `image inspect` shows it.
enum ImageInspection {
    /// What the store knows beside the image itself.
    struct Surroundings {
        /// All names of the image, whichever manifest they point to.
        var references: [ImageReference]
        /// Unpacked, in bytes.
        var size: Int64
        /// The folders of its unpacked layers, the top one first; nil while one of them is missing.
        var layers: [String]?
        /// When a name was last given; nil where nobody knows.
        var lastTagged: String?
    }

    static func object(_ image: StoredImage, _ surroundings: Surroundings) -> JSON {
        let configuration = image.configuration
        let names = surroundings.references
        let original = (try? JSON.parse(image.configurationBytes)) ?? .null
        return [
            "Id": .string(image.id.description), "RepoTags": .strings(names.filter { $0.tag != nil }.map(\.familiar)),
            "RepoDigests": .strings(names.filter { $0.digest != nil }.map(\.familiar)), "Parent": "",
            "Comment": .string(original["comment"]?.string ?? configuration.history.last?.comment ?? ""),
            "Created": .string(configuration.created ?? zeroTime),
            "DockerVersion": .string(original["docker_version"]?.string ?? ""),
            "Author": .string(configuration.author ?? ""), "Config": config(configuration.config),
            "Architecture": .string(configuration.platform.architecture),
            "Variant": .string(configuration.platform.variant ?? ""), "Os": .string(configuration.platform.os),
            "Size": .number(surroundings.size), "GraphDriver": graphDriver(surroundings.layers),
            "RootFS": ["Type": "layers", "Layers": .strings(configuration.diffIDs.map(\.description))],
            "Metadata": ["LastTagTime": .string(surroundings.lastTagged ?? zeroTime)],
            "Descriptor": [
                "mediaType": .string(image.target.mediaType.rawValue),
                "digest": .string(image.target.digest.description),
                "size": .number(image.target.size),
            ],
        ]
    }

    /// Go's time that was never set.
    static let zeroTime = "0001-01-01T00:00:00Z"

    /// With the keys that are a container's, as docker up to 27 has them: scripts ask for them.
    static func config(_ config: ContainerConfiguration) -> JSON {
        func list(_ values: [String]?) -> JSON { values.map { .strings($0) } ?? .null }
        func keys(_ names: [String]) -> JSON { .object(names.map { (key: $0, value: [:]) }) }
        return [
            "Hostname": "", "Domainname": "", "User": .string(config.user), "AttachStdin": false, "AttachStdout": false,
            "AttachStderr": false, "ExposedPorts": keys(config.exposedPorts), "Tty": false, "OpenStdin": false,
            "StdinOnce": false, "Env": list(config.env.isEmpty ? nil : config.env), "Cmd": list(config.cmd),
            "Healthcheck": config.json["Healthcheck"] ?? .null, "Image": "",
            "Volumes": config.volumes.isEmpty ? .null : keys(config.volumes),
            "WorkingDir": .string(config.workingDir), "Entrypoint": list(config.entrypoint),
            "OnBuild": list(config.onBuild.isEmpty ? nil : config.onBuild),
            "Labels": config.labels.isEmpty ? .null : .sortedStrings(config.labels),
            "StopSignal": .string(config.stopSignal ?? ""), "Shell": list(config.shell),
        ]
    }

    private static func graphDriver(_ layers: [String]?) -> JSON {
        var data: [(key: String, value: JSON)] = []
        if let layers, let top = layers.first {
            if layers.count > 1 { data.append(("LowerDir", .string(layers.dropFirst().joined(separator: ":")))) }
            data.append(("UpperDir", .string(top)))
        }
        return ["Data": data.isEmpty ? .null : .object(data), "Name": "overlay2"]
    }
}

extension ImageInspection.Surroundings {
    init(_ image: StoredImage, in store: ImageStore) throws {
        let named = try store.images().first { $0.id == image.id } ?? image
        references = named.references
        lastTagged = try store.lastTagged(named)
        size = try store.layerSizes(of: image).reduce(0, +)
        layers = try ImageInspection.folders(of: image.chainIDs, in: store)
    }
}

extension ImageInspection {
    /// The unpacked layers' folders, the top one first; nil where one is not unpacked.
    static func folders(of chainIDs: [Digest], in store: ImageStore) throws -> [String]? {
        for chainID in chainIDs where try store.usableLayer(chainID) == nil { return nil }
        return chainIDs.reversed().map { store.layerFiles($0) }
    }
}
