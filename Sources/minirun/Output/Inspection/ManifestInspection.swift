import OCI
import Registry

/// One image's manifest as docker shows it (docker/cli, cli/manifest/types).
struct ManifestInspection {
    private let name: String
    private let descriptor: JSON
    /// The manifest's own text.
    let payload: [UInt8]
    /// What `-v` shows of it.
    let verbose: [UInt8]

    /// - Parameter about: an object with a platform's members, and perhaps others.
    init(_ manifest: RemoteManifest, name: String, about: JSON?) {
        self.name = name
        payload = manifest.bytes
        descriptor = [
            "mediaType": .string(manifest.mediaType.rawValue), "digest": .string("\(manifest.digest)"),
            "size": .number(manifest.bytes.count), "platform": ManifestInspection.platform(about),
        ]
        let members: [(String, [UInt8])] = [
            ("Ref", JSON.string(name).bytes()), ("Descriptor", descriptor.bytes()),
            ("Raw", JSON.string(Base64.encode(manifest.bytes)).bytes()),
            (manifest.mediaType == .dockerManifest ? "SchemaV2Manifest" : "OCIManifest", manifest.bytes),
        ]
        let text = members.map { name, value in Array("\"\(name)\":".utf8) + value }.joined(separator: Array(",".utf8))
        verbose = [UInt8(ascii: "{")] + Array(text) + [UInt8(ascii: "}")]
    }

    /// One that docker has written down.
    init(draft bytes: [UInt8], path: String) throws(EngineError) {
        guard let json = try? JSON.parse(bytes), let name = json["Ref"]?.string, let descriptor = json["Descriptor"]
        else { throw EngineError(.corrupt, "reading \(path): it is no manifest of docker's") }
        guard let key = ["SchemaV2Manifest", "OCIManifest"].first(where: { json[$0] != nil }), let value = json[key]
        else { throw EngineError(.corrupt, "\(name) has no payload") }
        self.name = name
        self.descriptor = descriptor
        payload = ManifestInspection.last(key, of: bytes) ?? value.bytes()
        verbose = bytes
    }

    /// The text of an object's last member, as Go writes an object; nil where it is another.
    private static func last(_ key: String, of object: [UInt8]) -> [UInt8]? {
        guard let place = object.firstRange(of: Array("\"\(key)\":".utf8)),
            let end = object.lastIndex(of: UInt8(ascii: "}")), place.upperBound < end
        else { return nil }
        let text = Array(object[place.upperBound..<end])
        return (try? JSON.parse(text)) == nil ? nil : text
    }

    /// docker puts a list together anew from what it shows of the images.
    static func list(_ images: [ManifestInspection], of reference: ImageReference) throws(EngineError) -> JSON {
        var entries: [JSON] = []
        for image in images {
            let domain = try ImageReference(image.name).domain
            guard domain == reference.domain else {
                throw EngineError(
                    .invalid,
                    "failed to assemble ManifestDescriptor: cannot use source images from a different registry than "
                        + "the target image: \(domain) != \(reference.domain)"
                )
            }
            func member(_ key: String) -> (String, JSON) { (key, image.descriptor[key] ?? .null) }
            entries.append(
                .object([
                    member("mediaType"), member("size"), member("digest"),
                    ("platform", platform(image.descriptor["platform"])),
                ])
            )
        }
        let isOCI = images.first?.descriptor["mediaType"]?.string == MediaType.imageManifest.rawValue
        let type = isOCI ? MediaType.imageIndex : .dockerManifestList
        return ["schemaVersion": 2, "mediaType": .string(type.rawValue), "manifests": .array(entries)]
    }

    private static func platform(_ about: JSON?) -> JSON {
        var members: [(key: String, value: JSON)] = ["architecture", "os"].map { key in
            (key, .string(about?[key]?.string ?? ""))
        }
        func add(_ key: String, _ isEmpty: Bool?) {
            if let value = about?[key], isEmpty == false { members.append((key, value)) }
        }
        add("os.version", about?["os.version"]?.string?.isEmpty)
        add("os.features", about?["os.features"]?.strings?.isEmpty)
        add("variant", about?["variant"]?.string?.isEmpty)
        return .object(members)
    }
}
