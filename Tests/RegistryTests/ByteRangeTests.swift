import Images
import LinuxSystem
import OCI
import TestSupport
import Testing

@testable import Registry

/// What a registry says of how much it has.
@Suite struct ByteRangeTests {
    @Test(
        arguments: [
            ("bytes 100-199/200", 100, 199, 200), ("bytes 0-0/1", 0, 0, 1), ("bytes 5-9/*", 5, 9, nil),
        ] as [(String, Int64, Int64, Int64?)]
    )
    func parts(_ value: String, _ first: Int64, _ last: Int64, _ size: Int64?) throws {
        let range = try #require(ContentRange(value))
        #expect(range.first == first && range.last == last && range.size == size && range.description == value)
    }

    @Test(arguments: [
        "", "bytes", "bytes 1", "bytes 9-5/10", "bytes 0-9/9", "bytes */10", "bytes +0-9/10", "bytes -1-9/10", "0-9/10",
        "bytes 0-9", "bytes 0-9/10/11", "bytes 0--9/10", "bytes 0-9223372036854775807/*", "items 0-9/10",
    ])
    func noParts(_ value: String) { #expect(ContentRange(value) == nil) }

    @Test(arguments: [("0-499", 500), ("bytes=0-499", 500), ("0-0", 0)] as [(String, Int64)])
    func uploaded(_ value: String, _ count: Int64) { #expect(ByteRange.uploaded(value) == count) }

    /// One more than the last of these would be no number.
    @Test(arguments: [
        "", "0", "1-2", "0-", "-0", "0--1", "0-9223372036854775807", "0-99999999999999999999", "0-a", "0-1-2",
    ])
    func notUploaded(_ value: String) { #expect(ByteRange.uploaded(value) == nil) }

    /// A target that never ends is looked for once.
    @Test func linksTakeLinearTime() {
        #expect(LinkHeader.parse([String(repeating: "<,", count: 1_000_000)]).isEmpty)
        #expect(LinkHeader.parse(["<a>, <b", "<c>; rel=next"]).map(\.target) == ["a", "c"])
    }
}

extension OverHTTP {
    /// A registry that says of every piece that it has nothing, or more than there is.
    @Suite(.timeLimit(.minutes(20))) struct UploadRangeTests {
        private static let server = """
            import sys
            from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
            class Handler(BaseHTTPRequestHandler):
                protocol_version = 'HTTP/1.1'
                def log_message(self, *_): pass
                def reply(self, status, **headers):
                    self.rfile.read(int(self.headers.get('Content-Length') or 0))
                    self.send_response(status)
                    for name, value in headers.items(): self.send_header(name, value)
                    self.send_header('Content-Length', '0')
                    self.end_headers()
                def do_HEAD(self): self.reply(404)
                def do_GET(self): self.reply(200)
                def do_POST(self): self.reply(202, Location='/v2/a/blobs/uploads/1')
                def do_PATCH(self): self.reply(202, Location='/v2/a/blobs/uploads/1', Range=sys.argv[1])
                def do_PUT(self): self.reply(400 if '/manifests/' in self.path else 201)
                def do_DELETE(self): self.reply(204)
            server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
            print(server.server_port, flush=True)
            server.serve_forever()
            """

        @Test(arguments: [("0-0", "the registry says that it took nothing of it"), ("0-9223372036854775807", "400")])
        func aPushEnds(range: String, reason: String) throws {
            let source = try MisbehavingRegistry()
            _ = try source.pull()
            let server = try ServerProcess(["python3", "-c", Self.server, range])
            let name = try ImageReference("127.0.0.1:\(server.line())/a:latest")
            _ = try source.store.commit(
                target: source.store.resolve(source.reference.description).target,
                references: [name]
            )
            var options = TransferOptions()
            options.chunkSize = 100_000
            options.retryDelay = 1
            let client = RegistryClient(
                configuration: try RegistryConfiguration.load(environment: [:], home: nil, etc: "\(source.folder)/etc"),
                credentials: { _, _ in nil },
                options: options
            )
            let error = #expect(throws: EngineError.self) { try client.push(name, from: source.store) }
            #expect(error?.message.contains(reason) == true, "\(String(describing: error))")
        }
    }
}
