import Images
import LinuxSystem
import NIOHTTP1
import OCI

/// Brings one blob to a registry: not at all if it is there, by name from another repository of it, or byte by byte.
struct BlobUpload: Sendable {
    let repository: Repository
    let descriptor: Descriptor
    let path: String
    /// Repositories of the registry that have the blob, as far as is known here.
    let mountSources: [String]
    /// Nobody is told of configurations, as with docker.
    let events: @Sendable (PushEvent) -> Void

    private var session: Session { repository.session }
    private var digest: Digest { descriptor.digest }

    func run() async throws {
        if try await repository.hasBlob(descriptor) { return events(.exists(digest)) }
        var upload: WebURL?
        for source in mountSources.prefix(3) {
            switch try await mount(from: source) {
            case .mounted: return events(.mounted(digest, from: source))
            case .upload(let url): upload = url
            case .refused: continue
            }
            break
        }
        let begun = upload
        let first = Pending(begun)
        try await session.retrying(progress: { first.reached }) {
            let url: WebURL
            if let left = first.take() { url = left } else { url = try await begin() }
            do { try await send(to: url, first) } catch {
                if !(error is TransportFailure) || descriptor.size <= session.options.chunkSize { await abandon(url) }
                throw error
            }
        }
        events(.pushed(digest))
    }

    // MARK: - beginning

    private enum Mount { case mounted, upload(WebURL), refused }

    /// "Mounting a blob from another repository": 202 is a usual upload instead.
    private func mount(from source: String) async throws -> Mount {
        let exchange = try repository.exchange(
            .POST,
            "blobs/uploads/",
            query: [("mount", "\(digest)"), ("from", source)],
            scopes: [.repository(repository.name, .push), .repository(source, .pull)]
        )
        let answer = try await session.retrying {
            let answer = try await session.send(exchange)
            if answer.isTransient { throw await answer.failure() }
            return answer
        }
        switch answer.status {
        case 201: return .mounted
        case 202: return .upload(try location(answer))
        default: return .refused
        }
    }

    private func begin() async throws -> WebURL {
        var exchange = try repository.exchange(.POST, "blobs/uploads/")
        exchange.followsRedirects = false
        let answer = try await session.send(exchange, accepting: [202])
        if let text = answer.header("OCI-Chunk-Min-Length"), let least = Int64(text), least > session.options.chunkSize
        {
            leastChunk.set(least)
        }
        return try location(answer)
    }

    private let leastChunk = Box()

    private func location(_ answer: Answer) throws -> WebURL {
        guard let text = answer.header("Location") else {
            throw EngineError(.corrupt, "\(answer.request): the registry gave no place to upload to")
        }
        let url = try answer.url.resolving(text)
        // Credentials are sent there, so it must be the registry itself; a registry behind a proxy may forget its TLS.
        if url.place == repository.endpoint.hostPort, url.scheme != repository.endpoint.scheme {
            return try WebURL("\(repository.endpoint.scheme.rawValue)://\(url.place)\(url.target)")
        }
        return url
    }

    // MARK: - sending

    /// All of the blob: in one request, or in pieces if it is large.
    private func send(to url: WebURL, _ pending: Pending) async throws {
        let chunk = max(session.options.chunkSize, leastChunk.value)
        if descriptor.size <= chunk {
            return try await put(url, .file(part(0, descriptor.size)))
        }
        var url = url
        var offset = try await pending.reached > 0 ? status(&url) : 0
        while offset < descriptor.size {
            let length = min(chunk, descriptor.size - offset)
            var exchange = request(.PATCH, url, .file(part(offset, length)))
            exchange.headers = [
                ("Content-Type", "application/octet-stream"), ("Content-Range", "\(offset)-\(offset + length - 1)"),
            ]
            let answer: Answer
            do { answer = try await session.send(exchange) } catch let failure as TransportFailure {
                // The registry may have some of it: the next try asks.
                pending.put(back: url)
                throw failure
            }
            switch answer.status {
            case 201, 202, 204:
                url = try location(answer)
                let reached = answer.header("Range").flatMap(ByteRange.uploaded) ?? offset + length
                guard reached > offset else {
                    // It would be sent the same piece for ever.
                    throw EngineError(.failed, "pushing \(digest): the registry says that it took nothing of it")
                }
                offset = reached
            case 416:
                url = (try? location(answer)) ?? url
                let there = try await status(&url)
                guard there != offset else { throw await answer.failure() }
                offset = there
            default:
                if answer.isTransient { pending.put(back: url) }
                throw await answer.failure()
            }
            pending.reach(offset)
        }
        try await put(url, .none)
    }

    /// How many bytes the registry has ("Getting the upload status").
    private func status(_ url: inout WebURL) async throws -> Int64 {
        let answer = try await session.send(request(.GET, url, .none), accepting: [204, 200])
        url = (try? location(answer)) ?? url
        return answer.header("Range").flatMap(ByteRange.uploaded) ?? 0
    }

    private func put(_ url: WebURL, _ body: Exchange.Body) async throws {
        var exchange = request(.PUT, url.adding("digest", "\(digest)"), body)
        exchange.headers = [("Content-Type", "application/octet-stream")]
        _ = try await session.send(exchange, accepting: [201, 202, 204])
    }

    private func request(_ method: HTTPMethod, _ url: WebURL, _ body: Exchange.Body) -> Exchange {
        var exchange = Exchange(method, url, repository.endpoint, scopes: [.repository(repository.name, .push)])
        exchange.body = body
        exchange.followsRedirects = false
        return exchange
    }

    private func part(_ offset: Int64, _ length: Int64) -> FilePart {
        let (events, digest, size) = (events, digest, descriptor.size)
        return FilePart(path: path, offset: offset, length: length) { done in
            events(.uploading(digest, bytes: offset + done, size: size))
        }
    }

    /// Tells the registry that nothing more comes; it may keep what it has for a while otherwise.
    private func abandon(_ url: WebURL) async {
        let exchange = request(.DELETE, url, .none)
        // Also where this task was cancelled.
        _ = await Task.detached { [session] in try? await session.send(exchange) }.value
    }
}

/// An upload that was begun, and how far it came.
private final class Pending: @unchecked Sendable {
    private let lock = Lock()
    private var url: WebURL?
    private var bytes: Int64 = 0

    init(_ url: WebURL?) { self.url = url }

    var reached: Int64 { lock.locked { bytes } }
    func reach(_ offset: Int64) { lock.locked { bytes = offset } }
    func put(back url: WebURL) { lock.locked { self.url = url } }
    /// The upload to go on with; without one what was reached does not count.
    func take() -> WebURL? {
        lock.locked {
            defer { url = nil }
            if url == nil { bytes = 0 }
            return url
        }
    }
}

/// A number that is found out on the way.
private final class Box: @unchecked Sendable {
    private let lock = Lock()
    private var number: Int64 = 0
    var value: Int64 { lock.locked { number } }
    func set(_ value: Int64) { lock.locked { number = value } }
}

extension Endpoint {
    var hostPort: HostPort { HostPort(host: host, port: port) }
}
