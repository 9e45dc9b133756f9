import Images
import OCI

/// A manifest or an index as a registry sent it: its very bytes, which are its identity.
package struct RemoteManifest: Sendable {
    package let bytes: [UInt8]
    package let json: JSON
    package let mediaType: MediaType
    package let digest: Digest

    package var descriptor: Descriptor {
        Descriptor(mediaType: mediaType, digest: digest, size: Int64(bytes.count))
    }
    package var isIndex: Bool { mediaType.isIndex }

    /// - Parameters:
    ///   - contentType: what the registry calls it.
    ///   - claimed: the digest that the registry names; other bytes than those are refused.
    ///   - expected: the digest that was asked for.
    /// - Throws: also where it could be read as two things (CVE-2021-41190), and for schema 1.
    init(bytes: [UInt8], contentType: String?, claimed: String? = nil, expected: Digest? = nil) throws {
        let digest = SHA256Digest.of(bytes)
        if let wanted = try expected ?? claimed.map({ text in try Digest(text) }), wanted != digest {
            throw EngineError(
                .corrupt,
                "manifest verification failed for digest \(wanted): it has the digest \(digest)"
            )
        }
        self.bytes = bytes
        self.digest = digest
        do { json = try JSON.parse(bytes) } catch { throw EngineError(.corrupt, "the manifest \(digest) is no JSON") }
        mediaType = try RemoteManifest.type(json, contentType)
    }

    private static func type(_ json: JSON, _ contentType: String?) throws(EngineError) -> MediaType {
        let header = contentType.map { MediaType(rawValue: $0.prefix { $0 != ";" }.trimmingSuffix(" ")) }
        if json["schemaVersion"]?.int == 1 || json["fsLayers"] != nil
            || header?.rawValue.hasPrefix("application/vnd.docker.distribution.manifest.v1+") ?? false
        {
            throw EngineError(
                .unsupported,
                "image manifest schema 1 is not supported",
                hint: "the image was pushed by a docker of before 2017; push it again with a newer one"
            )
        }
        let (hasManifests, hasLayers) = (json["manifests"] != nil, json["layers"] != nil || json["config"] != nil)
        guard hasManifests != hasLayers else {
            throw EngineError(
                .corrupt,
                hasManifests
                    ? "the manifest is both an index and an image's: refused"
                    : "the manifest is neither an index nor an image's"
            )
        }
        let own = json["mediaType"]?.string.map { MediaType(rawValue: $0) }
        for type in [own, header].compactMap({ $0 }) where type.isIndex || type.isManifest {
            guard type.isIndex == hasManifests else {
                throw EngineError(.corrupt, "the manifest says that it is \"\(type.rawValue)\", and is not: refused")
            }
        }
        if let own, own.isIndex || own.isManifest { return own }
        if let header, header.isIndex || header.isManifest { return header }
        return hasManifests ? .imageIndex : .imageManifest
    }
}

extension Substring {
    fileprivate func trimmingSuffix(_ character: Character) -> String {
        var text = self
        while text.last == character { text.removeLast() }
        return String(text)
    }
}
