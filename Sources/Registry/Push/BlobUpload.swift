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
        let pending = PendingUpload()
        for source in mountSources.prefix(3) {
            switch try await mount(from: source) {
            case .mounted: return events(.mounted(digest, from: source))
            case .upload(let url): pending.keep(url, isNew: true)
            case .refused: continue
            }
            break
        }
        do { try await transfer(pending) } catch {
            if let (url, _) = pending.take() { await abandon(url) }
            throw error
        }
        events(.pushed(digest))
    }

    private func transfer(_ pending: PendingUpload) async throws {
        try await session.retrying(progress: { pending.reached }) {
            let (url, offset) = try await place(pending)
            do {
                try Task.checkCancellation()
                try await send(to: url, from: offset, pending)
            } catch {
                if !pending.isKept { await abandon(url) }
                throw error
            }
        }
    }

    /// Where to send the blob, and from which byte on: to an upload that was begun, or to a new one.
    private func place(_ pending: PendingUpload) async throws -> (WebURL, Int64) {
        if let (begun, isNew) = pending.take() {
            if isNew { return (begun, 0) }
            do { return try await status(begun) } catch let failure as RegistryFailure {
                // Registries that have lost count cannot go on (docker-registry: BLOB_UPLOAD_INVALID).
                guard [400, 404, 405, 410, 416].contains(failure.status) else {
                    pending.keep(begun, isNew: false)
                    throw failure
                }
                await abandon(begun)
            } catch {
                pending.keep(begun, isNew: false)
                throw error
            }
        }
        pending.reach(0)
        return (try await begin(), 0)
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
        case 202: return .upload(try begun(answer))
        default: return .refused
        }
    }

    /// Where to upload to. A cancellation waits a moment for the answer, without which nobody could take the upload back.
    private func begin() async throws -> WebURL {
        let exchange = try repository.exchange(.POST, "blobs/uploads/")
        let asking = Task.detached { try begun(await session.send(exchange, accepting: [202])) }
        return try await withTaskCancellationHandler {
            try await asking.value
        } onCancel: {
            Task.detached {
                try await Task.sleep(for: .seconds(3))
                asking.cancel()
            }
        }
    }

    /// The place of an upload, and how small a piece of it may be ("Pushing a blob in chunks").
    private func begun(_ answer: Answer) throws -> WebURL {
        if let text = answer.header("OCI-Chunk-Min-Length"), let least = Int64(text) { leastChunk.set(least) }
        return try location(answer)
    }

    private let leastChunk = Box()

    private func location(_ answer: Answer) throws -> WebURL {
        guard let text = answer.header("Location") else {
            throw EngineError(.corrupt, "\(answer.request): the registry gave no place to upload to")
        }
        return try repository.endpoint.resolve(text, in: answer)
    }

    // MARK: - sending

    /// The rest of the blob: in one request, or in pieces if it is large.
    private func send(to begun: WebURL, from start: Int64, _ pending: PendingUpload) async throws {
        let chunk = max(session.options.chunkSize, leastChunk.value)
        if start == 0, descriptor.size <= chunk {
            do { return try await put(begun, .file(part(0, descriptor.size))) } catch let failure as RegistryFailure {
                // Turned away before anything was taken: to begin anew would only ask for more of what there is too much of.
                if failure.status == 429 || failure.status == 503 { pending.keep(begun, isNew: true) }
                throw failure
            }
        }
        var (url, offset) = (begun, start)
        while offset < descriptor.size {
            let length = min(chunk, descriptor.size - offset)
            var exchange = request(.PATCH, url, .file(part(offset, length)))
            exchange.headers = [
                ("Content-Type", "application/octet-stream"), ("Content-Range", "\(offset)-\(offset + length - 1)"),
            ]
            let answer: Answer
            do { answer = try await session.send(exchange) } catch let failure as TransportFailure {
                // The registry may have some of it: the next try asks.
                pending.keep(url, isNew: false)
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
                let place = (try? location(answer)) ?? url
                let there: Int64
                (url, there) = try await status(place)
                guard there != offset else { throw await answer.failure() }
                offset = there
            default:
                let failure = await answer.failure()
                if failure.isTransient, !failure.isLostUpload { pending.keep(url, isNew: false) }
                throw failure
            }
            guard offset <= descriptor.size else {
                throw EngineError(
                    .corrupt,
                    "\(answer.request): the registry has more than the \(descriptor.size) bytes"
                )
            }
            pending.reach(offset)
        }
        do { try await put(url, .none) } catch {
            if Failures.isTransient(error), !((error as? RegistryFailure)?.isLostUpload ?? false) {
                pending.keep(url, isNew: false)
            }
            throw error
        }
    }

    /// Where to go on with an upload, and how many bytes the registry has ("Getting the upload status").
    private func status(_ url: WebURL) async throws -> (WebURL, Int64) {
        let answer = try await session.send(request(.GET, url, .none), accepting: [204, 200])
        return ((try? location(answer)) ?? url, answer.header("Range").flatMap(ByteRange.uploaded) ?? 0)
    }

    private func put(_ url: WebURL, _ body: Exchange.Body) async throws {
        var exchange = request(.PUT, url.adding("digest", "\(digest)"), body)
        exchange.headers = [("Content-Type", "application/octet-stream")]
        _ = try await session.send(exchange, accepting: [201, 202, 204])
    }

    private func request(_ method: HTTPMethod, _ url: WebURL, _ body: Exchange.Body) -> Exchange {
        var exchange = Exchange(method, url, repository.endpoint, scopes: [.repository(repository.name, .push)])
        exchange.body = body
        return exchange
    }

    private func part(_ offset: Int64, _ length: Int64) -> FilePart {
        let (events, digest, size) = (events, digest, descriptor.size)
        return FilePart(path: path, offset: offset, length: length) { done in
            events(.uploading(digest, bytes: offset + done, size: size))
        }
    }

    /// Tells the registry that nothing more comes; it may keep what it has for a while otherwise. It has a moment for it,
    /// also where this task was cancelled.
    private func abandon(_ url: WebURL) async {
        let exchange = request(.DELETE, url, .none)
        let telling = Task.detached { [session] in _ = try await session.send(exchange) }
        let impatience = Task.detached {
            try await Task.sleep(for: .seconds(3))
            telling.cancel()
        }
        _ = await telling.result
        impatience.cancel()
    }
}

/// An upload that is to be gone on with, and how far it came.
private final class PendingUpload: @unchecked Sendable {
    private let lock = Lock()
    private var upload: (url: WebURL, isNew: Bool)?
    private var bytes: Int64 = 0

    var reached: Int64 { lock.locked { bytes } }
    var isKept: Bool { lock.locked { upload != nil } }
    func reach(_ offset: Int64) { lock.locked { bytes = offset } }
    /// - Parameter isNew: whether nothing has been sent there.
    func keep(_ url: WebURL, isNew: Bool) { lock.locked { upload = (url, isNew) } }
    func take() -> (url: WebURL, isNew: Bool)? {
        lock.locked {
            defer { upload = nil }
            return upload
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
