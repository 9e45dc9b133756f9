import OCI

/// What docker before 1.10 saved: `repositories`, and for each layer a folder ID/ with `json` and `layer.tar`.
struct LegacyArchive: Sendable {
    let files: any ArchiveFiles
    /// The names and the layer id that each stands for.
    let names: [(reference: ImageReference, id: String)]

    /// nil for what is no such archive.
    init?(_ files: any ArchiveFiles) throws {
        guard let json = try files.json("repositories") else { return nil }
        self.files = files
        var names: [(reference: ImageReference, id: String)] = []
        for (repository, tags) in json.object ?? [] {
            for (tag, id) in tags.object ?? [] {
                guard let id = id.string, Digest(hex: id) != nil else {
                    throw EngineError(.invalid, "\(files.description): invalid target ID in repositories")
                }
                names.append((try ImageReference("\(repository):\(tag)"), id))
            }
        }
        self.names = names.sorted { $0.reference < $1.reference }
    }

    /// One layer, with what it says of itself.
    struct Layer {
        let path: String
        let json: JSON
    }

    /// The layers of the image whose top layer is `id`, the base's first.
    func layers(_ id: String) throws -> [Layer] {
        var layers: [Layer] = []
        var next: String? = id
        while let id = next {
            guard Digest(hex: id) != nil, layers.count < 1000 else {
                throw EngineError(.invalid, "\(files.description): invalid parent of a layer")
            }
            guard let json = try files.json("\(id)/json") else { throw files.missing("\(id)/json") }
            layers.append(Layer(path: "\(id)/layer.tar", json: json))
            next = json["parent"]?.string.flatMap { $0.isEmpty ? nil : $0 }
        }
        return layers.reversed()
    }

    /// The configuration that docker of today would make of it.
    func configuration(_ layers: [Layer], diffIDs: [Digest]) -> JSON {
        let top = layers.last?.json ?? .null
        var members: [(key: String, value: JSON)] = []
        for key in ["created", "author", "architecture", "os", "config", "container_config", "docker_version"] {
            if let value = top[key] { members.append((key, value)) }
        }
        if top["os"] == nil { members.append(("os", "linux")) }
        members.append(("rootfs", ["type": "layers", "diff_ids": .strings(diffIDs.map(\.description))]))
        members.append(("history", .array(layers.map { history($0.json) })))
        return .object(members)
    }

    private func history(_ json: JSON) -> JSON {
        var members: [(key: String, value: JSON)] = []
        for key in ["created", "author", "comment"] { if let value = json[key] { members.append((key, value)) } }
        if let command = json["container_config"]?["Cmd"]?.strings, !command.isEmpty {
            members.append(("created_by", .string(command.joined(separator: " "))))
        }
        return .object(members)
    }
}
