import OCI
import Registry

/// `minirun manifest inspect`
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
        let manifest = try client.manifest(reference)
        let shown = parsed.flag("verbose") ? try verbose(manifest, reference, client) : manifest.json
        Console.print(String(decoding: shown.bytesIndentedByTabs(), as: UTF8.self) + "\n")
        return 0
    }

    /// docker's form with `-v`: one object for an image, a list of them for an index.
    private static func verbose(_ manifest: RemoteManifest, _ reference: ImageReference, _ client: RegistryClient)
        throws
        -> JSON
    {
        guard manifest.isIndex else {
            var descriptor = manifest.descriptor
            let image = try ImageManifest(manifest.json)
            if let bytes = try? client.blob(image.configuration, in: reference), let json = try? JSON.parse(bytes) {
                descriptor.platform = Platform(json)
            }
            return entry(manifest, descriptor, "\(reference)")
        }
        return .array(
            try ImageIndex(manifest.json).manifests.map { descriptor in
                let name = try ImageReference("\(reference.repository)@\(descriptor.digest)")
                return try entry(client.manifest(name), descriptor, "\(reference)@\(descriptor.digest)")
            }
        )
    }

    private static func entry(_ manifest: RemoteManifest, _ descriptor: Descriptor, _ name: String) -> JSON {
        let key = manifest.mediaType == .dockerManifest ? "SchemaV2Manifest" : "OCIManifest"
        return .object([
            ("Ref", .string(name)), ("Descriptor", descriptor.json), ("Raw", .string(Base64.encode(manifest.bytes))),
            (key, manifest.json),
        ])
    }
}
