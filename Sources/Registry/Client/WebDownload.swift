import AsyncHTTPClient
import Images
import NIOCore
import NIOHTTP1
import OCI

/// What a URL stands for, read as it comes. It is asked as registries are (proxies, certificates, redirections, further
/// tries until there is an answer), and shown no credential.
package final class WebDownload: ByteSource {
    /// How many bytes there will be; nil where the server does not say.
    package let size: Int64?
    /// So many came, on the thread that reads.
    package var progress: (@Sendable (_ bytes: Int64) -> Void)?
    private let body: Body
    private var count: Int64 = 0

    fileprivate init(_ answer: Answer) {
        size = answer.contentLength
        body = Body(answer)
    }

    package func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        let bytes: ByteBuffer
        let limit = buffer.count
        do { bytes = try Blocking.run { [body] in try await body.next(limit: limit) } } catch {
            throw Failures.engineError(error)
        }
        bytes.withUnsafeReadableBytes { buffer.copyMemory(from: $0) }
        if bytes.readableBytes > 0 {
            count += Int64(bytes.readableBytes)
            progress?(count)
        }
        return bytes.readableBytes
    }

    /// One reader at a time: `read` waits for each piece.
    private final class Body: @unchecked Sendable {
        private var pieces: HTTPClientResponse.Body.AsyncIterator
        private var rest = ByteBuffer()
        private let request: String

        init(_ answer: Answer) {
            pieces = answer.body.makeAsyncIterator()
            request = answer.request
        }

        /// The next bytes; none at the end.
        func next(limit: Int) async throws -> ByteBuffer {
            while rest.readableBytes == 0 {
                do {
                    guard let piece = try await pieces.next() else { return ByteBuffer() }
                    rest = piece
                } catch { throw Transport.failure(error, request) }
            }
            return rest.readSlice(length: min(limit, rest.readableBytes)) ?? ByteBuffer()
        }
    }
}

extension RegistryClient {
    /// Runs `body` with what is at a URL; connections end with it.
    package func downloading<R>(_ text: String, _ body: (WebDownload) throws -> R) throws -> R {
        let url = try WebURL(text)
        let session = Session(configuration, credentials: { _, _ in nil }, options)
        defer { try? Blocking.run { await session.close() } }
        let answer: Answer
        do {
            answer = try Blocking.run {
                try await session.retrying { try await session.send(Exchange(.GET, url), accepting: [200]) }
            }
        } catch let failure as RegistryFailure {
            throw failure.downloadError(text)
        } catch { throw Failures.engineError(error) }
        return try body(WebDownload(answer))
    }
}

extension RegistryFailure {
    /// A failed download in docker's words (moby, daemon/builder/remotecontext/remote.go).
    fileprivate func downloadError(_ url: String) -> EngineError {
        let reason = HTTPResponseStatus(statusCode: status).reasonPhrase
        // A page's title says the same, or more.
        let said = body.isEmpty ? title ?? "" : body
        let detail = said.isEmpty || said == reason ? "" : ": \(said)"
        let text = "failed to GET \(url) with status \(status) \(reason)\(detail)"
        return EngineError(status == 404 ? .notFound : .failed, text)
    }
}
