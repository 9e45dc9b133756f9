import Images
import LinuxSystem
import NIOHTTP1
import OCI

/// One repository at one endpoint: what the distribution specification has for it.
struct Repository: Sendable {
    let session: Session
    let endpoint: Endpoint
    let operation: RegistryOperation

    /// "library/python", as the endpoint has it.
    var name: String { endpoint.repository }

    func exchange(
        _ method: HTTPMethod,
        _ tail: String,
        query: [(name: String, value: String)] = [],
        scopes: [TokenScope]? = nil
    ) throws -> Exchange {
        Exchange(
            method,
            try WebURL(endpoint.url(tail, query: query)),
            endpoint,
            scopes: scopes ?? [.repository(name, operation)]
        )
    }

    // MARK: - manifests

    static let manifestTypes =
        [
            MediaType.imageIndex, .dockerManifestList, .imageManifest, .dockerManifest,
        ].map(\.rawValue) + ["application/vnd.docker.distribution.manifest.v1+prettyjws;q=0.5", "*/*;q=0.1"]

    private func manifestExchange(_ method: HTTPMethod, _ reference: String) throws -> Exchange {
        var exchange = try exchange(method, "manifests/\(reference)")
        exchange.headers = [("Accept", Repository.manifestTypes.joined(separator: ", "))]
        return exchange
    }

    /// The digest that a tag stands for, if the registry says so without sending the manifest. Docker Hub counts only
    /// what it sends.
    func digest(of tag: String) async throws -> Digest? {
        let exchange = try manifestExchange(.HEAD, tag)
        return try await session.retrying {
            let answer = try await session.send(exchange)
            if answer.status == 429 || answer.status >= 500 { throw await answer.failure() }
            guard answer.status == 200, let text = answer.header("Docker-Content-Digest") else { return nil }
            return try? Digest(text)
        }
    }

    /// A manifest or an index by tag or digest, verified against its digest as far as that is known.
    func manifest(_ reference: String, expected: Digest? = nil) async throws -> RemoteManifest {
        let (answer, bytes) = try await session.fetch(manifestExchange(.GET, reference), limit: 8 << 20)
        return try RemoteManifest(
            bytes: bytes,
            contentType: answer.header("Content-Type"),
            claimed: answer.header("Docker-Content-Digest"),
            expected: expected
        )
    }

    // MARK: - blobs

    /// A small blob, whole and verified.
    func blob(_ descriptor: Descriptor, limit: Int) async throws -> [UInt8] {
        guard descriptor.size <= limit else {
            throw EngineError(
                .corrupt,
                "blob \(descriptor.digest) of \(descriptor.size) bytes is more than the \(limit) allowed"
            )
        }
        let (_, bytes) = try await session.fetch(
            exchange(.GET, "blobs/\(descriptor.digest)"),
            limit: Int(descriptor.size)
        )
        try descriptor.verify(bytes)
        return bytes
    }

    func hasBlob(_ descriptor: Descriptor) async throws -> Bool {
        let exchange = try exchange(.HEAD, "blobs/\(descriptor.digest)")
        return try await session.retrying {
            let answer = try await session.send(exchange)
            if answer.isTransient { throw await answer.failure() }
            if answer.status == 401 || answer.status == 403 { throw await answer.failure() }
            return answer.status == 200
        }
    }

    // MARK: - lists

    /// All tags, page by page, in the registry's order.
    func tags() async throws -> [String] {
        var exchange = try exchange(.GET, "tags/list", query: [("n", "1000")])
        var tags: [String] = []
        var seen: Set<WebURL> = []
        while seen.insert(exchange.url).inserted, seen.count <= 1000 {
            let (answer, bytes) = try await session.fetch(exchange, limit: 8 << 20)
            let page = try? JSON.parse(bytes)
            // A repository without tags has null there.
            guard let page, page.object != nil else {
                throw EngineError(.corrupt, "\(answer.request): no list of tags")
            }
            tags += (page["tags"]?.strings ?? []).filter(ImageReference.isTag)
            guard let next = LinkHeader.next(answer.headers["Link"]) else { break }
            let url = try answer.url.resolving(next)
            guard url.hasSameOrigin(as: exchange.url) else { break }
            exchange.url = url
        }
        return tags
    }

    /// What refers to a manifest: signatures, attestations (distribution-spec, "Listing Referrers").
    func referrers(of digest: Digest) async throws -> [Descriptor] {
        var exchange = try exchange(.GET, "referrers/\(digest)")
        exchange.headers = [("Accept", MediaType.imageIndex.rawValue)]
        let answer = try await session.retrying { () -> (Answer, [UInt8])? in
            let answer = try await session.send(exchange)
            if answer.status == 404 { return nil }
            guard answer.status == 200 else { throw await answer.failure() }
            return (answer, try await answer.bytes(limit: 8 << 20))
        }
        if let (answer, bytes) = answer,
            answer.header("Content-Type")?.hasPrefix(MediaType.imageIndex.rawValue) ?? false
        {
            return try ImageIndex(JSON.parse(bytes)).manifests
        }
        // A registry without the endpoint: an index under a tag that is the digest's ("Referrers Tag Schema").
        do { return try await ImageIndex(manifest("sha256-\(digest.hex)").json).manifests } catch let failure
            as RegistryFailure
        {
            if failure.status == 404 { return [] }
            throw failure
        }
    }
}

extension Answer {
    var isTransient: Bool { RegistryFailure(status: status, request: "", entries: []).isTransient }
}

extension Descriptor {
    /// Throws unless the bytes are what the descriptor says.
    func verify(_ bytes: [UInt8]) throws(EngineError) {
        guard bytes.count == size else {
            throw EngineError(.corrupt, "blob \(digest) has \(bytes.count) bytes instead of \(size)")
        }
        let found = SHA256Digest.of(bytes)
        guard found == digest else { throw EngineError(.corrupt, "blob \(digest) has the digest \(found)") }
    }
}
