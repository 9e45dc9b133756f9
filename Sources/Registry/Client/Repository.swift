import Images
import LinuxSystem
import NIOHTTP1
import OCI

/// One repository at one endpoint: what the distribution specification has for it.
struct Repository: Sendable {
    let session: Session
    let endpoint: Endpoint
    let operation: RegistryOperation
    /// For its documents. Nil is as the session has it.
    var patience: Patience?

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
        return try await session.retrying(patience) {
            let answer = try await session.send(exchange)
            if answer.status == 429 || answer.status >= 500 { throw await answer.failure() }
            guard answer.status == 200, let text = answer.header("Docker-Content-Digest") else { return nil }
            return try? Digest(text)
        }
    }

    /// A manifest or an index by tag or digest, verified against its digest as far as that is known.
    func manifest(_ reference: String, expected: Digest? = nil) async throws -> RemoteManifest {
        let (answer, bytes) = try await session.fetch(manifestExchange(.GET, reference), limit: 8 << 20, patience)
        return try answer.withHint {
            try RemoteManifest(
                bytes: bytes,
                contentType: answer.header("Content-Type"),
                claimed: answer.header("Docker-Content-Digest"),
                expected: expected
            )
        }
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
        let (answer, bytes) = try await session.fetch(
            exchange(.GET, "blobs/\(descriptor.digest)"),
            limit: Int(descriptor.size),
            patience
        )
        try answer.withHint { try descriptor.verify(bytes) }
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
