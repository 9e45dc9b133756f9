import Images
import LinuxSystem
import NIOHTTP1
import OCI

/// Brings one blob into the store: from where an earlier try ended, through cuts and stalls, to its verified end.
struct BlobDownload: Sendable {
    let session: Session
    /// Where the manifest came from first, then the others that have the repository.
    let sources: [Repository]
    let blob: PartialBlob
    let events: @Sendable (PullEvent) -> Void

    private var descriptor: Descriptor { blob.descriptor }
    private var digest: Digest { blob.descriptor.digest }

    /// Fetches it, or waits while another process does.
    func run() async throws {
        guard try await claim() else { return events(.downloaded(digest)) }
        var isFresh = blob.count == 0
        while true {
            try await transfer()
            events(.verifying(digest))
            if try await Blocking.aside({ try blob.finish() }) { break }
            // What was there from before may have been damaged; bytes that came just now are as bad as the next ones.
            guard !isFresh else {
                throw EngineError(.corrupt, "filesystem layer verification failed for digest \(digest)")
            }
            isFresh = true
        }
        events(.downloaded(digest))
    }

    /// Takes the blob's file. False where the blob is there, perhaps because another process has fetched it meanwhile.
    private func claim() async throws -> Bool {
        while true {
            switch try await Blocking.aside({ try blob.claim() }) {
            case .mine: return true
            case .stored: return false
            case .taken: try await Task.sleep(nanoseconds: 100_000_000)
            }
        }
    }

    private func transfer() async throws {
        try await session.retrying(progress: { blob.count }) {
            var last: (any Error)?
            for exchange in try exchanges() where exchange.endpoint?.isUseful(after: last) ?? true {
                let before = blob.count
                if before == descriptor.size { return }
                do { return try await fetch(exchange) } catch let failure as RegistryFailure where sources.count > 1 {
                    last = failure
                } catch let failure as TransportFailure where sources.count > 1 && blob.count == before {
                    last = failure
                }
            }
            if let last { throw last }
        }
    }

    /// What to ask for, in order.
    private func exchanges() throws -> [Exchange] {
        guard descriptor.mediaType.isForeignLayer, !descriptor.urls.isEmpty else {
            return try sources.map { try $0.exchange(.GET, "blobs/\(digest)") }
        }
        return try descriptor.urls.compactMap { text in
            let url = try WebURL(text)
            guard url.scheme == .https else {
                throw EngineError(.unsupported, "layer \(digest) lies at \(url.origin), which has no TLS: refused")
            }
            var endpoint = Endpoint(
                scheme: .https,
                host: url.place.host,
                port: url.place.port,
                repository: "",
                credentialsKey: url.place.description
            )
            endpoint.tls = try session.configuration.tls(for: url)
            return Exchange(.GET, url, endpoint, scopes: [])
        }
    }

    /// One answer, appended as far as it comes.
    private func fetch(_ exchange: Exchange) async throws {
        var exchange = exchange
        let start = blob.count
        if start > 0 { exchange.headers.append(("Range", "bytes=\(start)-")) }
        let answer = try await session.send(exchange)
        let skipped: Int64
        switch answer.status {
        // All of it again: what is there already is passed over.
        case 200: skipped = start
        case 206:
            try check(answer.header("Content-Range"), start: start)
            skipped = 0
        case 416 where start > 0:
            try blob.restart()
            throw TransportFailure(stage: .exchange, request: answer.request, reason: "the range was refused")
        default: throw await answer.failure()
        }
        if let length = answer.contentLength, length > descriptor.size - start + skipped {
            try answer.withHint { throw tooLarge }
        }
        try await append(answer, skipping: skipped)
        guard blob.count == descriptor.size else {
            return try answer.withHint { try cut(answer, skipped + blob.count - start) }
        }
    }

    private func append(_ answer: Answer, skipping: Int64) async throws {
        var rest = skipping
        try await answer.read { piece in
            let skip = Int(min(rest, Int64(piece.count)))
            rest -= Int64(skip)
            if skip == piece.count { return }
            try blob.append(UnsafeRawBufferPointer(rebasing: piece[skip...]))
            events(.downloading(digest, bytes: blob.count, size: descriptor.size))
        }
    }

    private var tooLarge: EngineError {
        EngineError(.corrupt, "blob \(digest) is larger than the \(descriptor.size) bytes it should have")
    }

    /// The answer was shorter than the blob. One that was as long as it said is no accident.
    private func cut(_ answer: Answer, _ received: Int64) throws -> Never {
        if answer.status == 200, answer.contentLength == received {
            throw EngineError(.corrupt, "blob \(digest) has \(blob.count) bytes instead of \(descriptor.size)")
        }
        throw TransportFailure(stage: .exchange, request: answer.request, reason: "unexpected EOF")
    }

    /// Whether what comes is what was asked for.
    private func check(_ value: String?, start: Int64) throws {
        guard let range = value.flatMap(ContentRange.init), range.first == start,
            range.size ?? descriptor.size == descriptor.size
        else { throw wrongRange(value) }
    }

    private func wrongRange(_ range: String?) -> EngineError {
        EngineError(.corrupt, "blob \(digest): bytes \(blob.count)- were asked for and \"\(range ?? "")\" came")
    }
}
