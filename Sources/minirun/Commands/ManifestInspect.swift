import LinuxSystem
import OCI
import Registry

/// `minirun manifest inspect`
///
/// Its output is docker's to the byte (docker/cli, cli/command/manifest), which tools parse. Of two arguments the first is
/// a list that `docker manifest create` is putting together.
enum ManifestInspectCommand {
    static let verb = Verb(
        ["manifest inspect"],
        "Display an image manifest, or manifest list",
        usage: "[OPTIONS] [MANIFEST_LIST] MANIFEST",
        arguments: .between(1, 2),
        options: TransferCommandOptions.manifestInspect,
        run: run
    )

    private static func run(_ parsed: ParsedArguments) throws -> Int32 {
        let names = try parsed.positional.map { try ImageReference($0) }
        let verbose = parsed.flag("verbose")
        let drafts = ManifestDrafts(RegistryAccess.dockerFolder)
        if names.count == 2 {
            show(one: try drafts.manifest(names[1], in: names[0]), verbose)
        } else if let list = try drafts.manifests(of: names[0]) {
            try show(list, of: names[0], verbose)
        } else {
            let client = try RegistryAccess.client(insecure: parsed.flag("insecure") ? names[0] : nil)
            try client.reading(names[0]) { try show(names[0], from: $0, verbose) }
        }
        return 0
    }

    private static func show(_ reference: ImageReference, from reader: RepositoryReader, _ verbose: Bool) throws {
        let manifest: RemoteManifest
        do { manifest = try reader.manifest() } catch let error as EngineError where error.kind == .notFound {
            throw EngineError(.notFound, "no such manifest: \(reference)", hint: error.message)
        }
        if manifest.isIndex {
            try show(images(of: manifest, reference, reader), of: reference, verbose)
        } else if verbose {
            let configuration = try JSON.parse(reader.blob(ImageManifest(manifest.json).configuration))
            show(one: ManifestInspection(manifest, name: "\(reference)", about: configuration), verbose)
        } else {
            show(one: ManifestInspection(manifest, name: "\(reference)", about: nil), verbose)
        }
    }

    private static func images(of index: RemoteManifest, _ reference: ImageReference, _ reader: RepositoryReader) throws
        -> [ManifestInspection]
    {
        let tag = reference.tag.map { ":\($0)" } ?? ""
        return try (index.json["manifests"]?.array ?? []).map { entry in
            let digest = try Descriptor(entry).digest
            return ManifestInspection(
                try reader.manifest(digest),
                name: "\(reference.repository)\(tag)@\(digest)",
                about: entry["platform"]
            )
        }
    }

    private static func show(one manifest: ManifestInspection, _ verbose: Bool) {
        print(JSON.laidOut(verbose ? JSON.escapedForHTML(manifest.verbose) : manifest.payload))
    }

    private static func show(_ list: [ManifestInspection], of reference: ImageReference, _ verbose: Bool) throws {
        if verbose {
            let texts = Array(list.map(\.verbose).joined(separator: [UInt8(ascii: ",")]))
            print(JSON.laidOut([UInt8(ascii: "[")] + JSON.escapedForHTML(texts) + [UInt8(ascii: "]")]))
        } else {
            let text = try ManifestInspection.list(list, of: reference).bytes()
            print(JSON.laidOut(JSON.escapedForHTML(text), indent: "   "))
        }
    }

    private static func print(_ text: [UInt8]) { Console.print(String(rawBytes: text) + "\n") }
}
