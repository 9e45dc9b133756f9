import OCI
import Registry

/// `minirun manifest inspect`
///
/// Its output is docker's to the byte (docker/cli, cli/command/manifest), which tools parse.
enum ManifestInspectCommand {
    static let verb = Verb(
        ["manifest inspect"],
        "Display an image manifest, or manifest list",
        usage: "[OPTIONS] MANIFEST",
        arguments: .exactly(1),
        options: TransferCommandOptions.manifestInspect,
        run: run
    )

    private static func run(_ parsed: ParsedArguments) throws -> Int32 {
        let reference = try ImageReference(parsed.positional[0])
        let client = try RegistryAccess.client()
        let manifest: RemoteManifest
        do { manifest = try client.manifest(reference) } catch let error as EngineError where error.kind == .notFound {
            throw EngineError(.notFound, "no such manifest: \(reference)", hint: error.message)
        }
        let text: [UInt8]
        if manifest.isIndex {
            let images = try images(of: manifest, reference, client)
            text =
                parsed.flag("verbose")
                ? JSON.array(images.map(\.verbose)).bytesIndentedByTabs()
                : list(images).bytes(indent: 3)
        } else {
            text =
                parsed.flag("verbose")
                ? try image(manifest, reference, client).verbose.bytesIndentedByTabs()
                : manifest.json.bytesIndentedByTabs()
        }
        Console.print(String(decoding: text, as: UTF8.self) + "\n")
        return 0
    }

    /// docker puts a list together anew from what it shows of the images.
    private static func list(_ images: [InspectedManifest]) -> JSON {
        let isOCI = images.first?.manifest.mediaType == .imageManifest
        let entries = images.map { image in
            JSON.object([
                ("mediaType", .string(image.manifest.mediaType.rawValue)),
                ("size", .number(image.manifest.bytes.count)),
                ("digest", .string("\(image.manifest.digest)")),
                ("platform", image.platform),
            ])
        }
        let type = isOCI ? MediaType.imageIndex : .dockerManifestList
        return .object([
            ("schemaVersion", 2), ("mediaType", .string(type.rawValue)), ("manifests", .array(entries)),
        ])
    }

    private static func images(of index: RemoteManifest, _ reference: ImageReference, _ client: RegistryClient) throws
        -> [InspectedManifest]
    {
        let tag = reference.tag.map { ":\($0)" } ?? ""
        return try (index.json["manifests"]?.array ?? []).map { entry in
            let digest = try Descriptor(entry).digest
            return InspectedManifest(
                name: "\(reference.repository)\(tag)@\(digest)",
                manifest: try client.manifest(ImageReference("\(reference.repository)@\(digest)")),
                about: entry["platform"]
            )
        }
    }

    private static func image(_ manifest: RemoteManifest, _ reference: ImageReference, _ client: RegistryClient) throws
        -> InspectedManifest
    {
        let image = try ImageManifest(manifest.json)
        let configuration = try JSON.parse(client.blob(image.configuration, in: reference))
        return InspectedManifest(name: "\(reference)", manifest: manifest, about: configuration)
    }
}

/// One image as `-v` shows it.
private struct InspectedManifest {
    let name: String
    let manifest: RemoteManifest
    let platform: JSON

    /// - Parameter about: an object with a platform's members, and perhaps others.
    init(name: String, manifest: RemoteManifest, about: JSON?) {
        self.name = name
        self.manifest = manifest
        var members: [(key: String, value: JSON)] = ["architecture", "os"].map { key in
            (key, .string(about?[key]?.string ?? ""))
        }
        func add(_ key: String, _ isEmpty: Bool?) {
            if let value = about?[key], isEmpty == false { members.append((key, value)) }
        }
        add("os.version", about?["os.version"]?.string?.isEmpty)
        add("os.features", about?["os.features"]?.strings?.isEmpty)
        add("variant", about?["variant"]?.string?.isEmpty)
        platform = .object(members)
    }

    var verbose: JSON {
        let descriptor = JSON.object([
            ("mediaType", .string(manifest.mediaType.rawValue)), ("digest", .string("\(manifest.digest)")),
            ("size", .number(manifest.bytes.count)), ("platform", platform),
        ])
        let key = manifest.mediaType == .dockerManifest ? "SchemaV2Manifest" : "OCIManifest"
        return .object([
            ("Ref", .string(name)), ("Descriptor", descriptor), ("Raw", .string(Base64.encode(manifest.bytes))),
            (key, manifest.json),
        ])
    }
}
