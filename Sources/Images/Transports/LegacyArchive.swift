import OCI

/// What docker before 1.10 saved: `repositories`, and for each layer a folder ID/ with `json` and `layer.tar`.
struct LegacyArchive: Sendable {
    let files: any ArchiveFiles
    /// The names and the layer id that each stands for.
    let names: [(reference: ImageReference, id: String)]

    /// How many names an archive may bring.
    static let names = 10_000

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
                guard names.count <= LegacyArchive.names else {
                    throw EngineError(.invalid, "\(files.description): too many names")
                }
            }
        }
        self.names = names.sorted { $0.reference < $1.reference }
    }

    /// Each image once with all its names, by its top layer's id.
    var images: [(id: String, references: [ImageReference])] {
        get throws {
            var images: [(id: String, references: [ImageReference])] = []
            var positions: [String: Int] = [:]
            for (reference, id) in names {
                if let position = positions[id] {
                    images[position].references.append(reference)
                } else {
                    positions[id] = images.count
                    images.append((id, [reference]))
                }
            }
            guard images.count <= 1000 else { throw EngineError(.invalid, "\(files.description): too many images") }
            return images
        }
    }

    /// One layer, with what it says of itself.
    struct Layer {
        let path: String
        let json: JSON
    }

    /// Bytes of what layers say of themselves, over all images of an archive: those that images share are read for each.
    static let documents = 256 << 20

    /// The layers of the image whose top layer is `id`, the base's first.
    /// - Parameter left: how many bytes may still be read; less afterwards.
    func layers(_ id: String, left: inout Int) throws -> [Layer] {
        var layers: [Layer] = []
        var next: String? = id
        while let id = next {
            guard Digest(hex: id) != nil else {
                throw EngineError(.invalid, "\(files.description): invalid parent of a layer")
            }
            // A layer that is its own parent comes here as well.
            try LayerCount.require(layers.count + 1)
            guard let bytes = try files.read("\(id)/json") else { throw files.missing("\(id)/json") }
            left -= bytes.count
            guard left >= 0 else { throw EngineError(.invalid, "\(files.description): its layers say too much") }
            let json: JSON
            do { json = try JSON.parse(bytes) } catch {
                throw EngineError(.corrupt, "\(files.description): \(id)/json: \(error.message)")
            }
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
