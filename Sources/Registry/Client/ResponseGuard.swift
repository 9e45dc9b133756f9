import NIOCore
import NIOHTTP1

/// Ends a connection whose server says what the HTTP library does not bear: it would end the process, or wait for ever.
///
/// - A status below 100 is taken for an interim answer by one half of the library and for a last one by the other, and its
///   assertion about that ends the process.
/// - Interim answers, a status line, a chunk's extensions may go on without end: neither a head nor content comes of them, and
///   no timeout either, because bytes do.
enum ResponseGuard {
    /// What may come in a row of which neither a head nor content is made: more than the headers that the library bears, and a
    /// whole read of content behind them.
    private static let limit = 1 << 20

    struct Refusal: Error, CustomStringConvertible {
        let description: String
    }

    /// Watches a connection from its beginning.
    @Sendable static func watch(_ channel: any Channel) -> EventLoopFuture<Void> {
        channel.eventLoop.submit {
            let pipeline = channel.pipeline.syncOperations
            let decoder = try pipeline.handler(type: ByteToMessageHandler<HTTPResponseDecoder>.self)
            let count = Count()
            try pipeline.addHandler(Bytes(count), position: .before(decoder))
            try pipeline.addHandler(Parts(count), position: .after(decoder))
        }
    }

    /// Bytes since the last part of an answer. Used on the connection's event loop only.
    private final class Count { var bytes = 0 }

    /// What the decoder gets.
    private final class Bytes: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias InboundOut = ByteBuffer

        private let count: Count
        init(_ count: Count) { self.count = count }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            count.bytes += unwrapInboundIn(data).readableBytes
            if count.bytes > limit {
                context.fireErrorCaught(Refusal(description: "an answer that does not come to its content"))
                return context.close(promise: nil)
            }
            context.fireChannelRead(data)
        }
    }

    /// What the decoder makes of it.
    private final class Parts: ChannelInboundHandler {
        typealias InboundIn = HTTPClientResponsePart
        typealias InboundOut = HTTPClientResponsePart

        private let count: Count
        private var isRefused = false
        init(_ count: Count) { self.count = count }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            if isRefused { return }
            if case .head(let head) = unwrapInboundIn(data) {
                if head.status.code < 100 {
                    isRefused = true
                    context.fireErrorCaught(Refusal(description: "malformed HTTP status code \"\(head.status.code)\""))
                    return context.close(promise: nil)
                }
                if head.status.code >= 200 { count.bytes = 0 }
            } else {
                count.bytes = 0
            }
            context.fireChannelRead(data)
        }
    }
}
