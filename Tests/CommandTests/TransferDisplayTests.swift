import LinuxSystem
import OCI
import Registry
import Testing

@testable import minirun

/// The lines of a pull and a push where nobody sees them live (moby, daemon/internal/distribution).
@Suite struct TransferDisplayTests {
    private final class Lines: @unchecked Sendable {
        var text = ""
    }

    private func digest(_ digit: Character) throws -> Digest {
        try #require(Digest(hex: String(repeating: digit, count: 64)))
    }

    private func lines(headings: Bool = true, _ body: (TransferDisplay) throws -> Void) rethrows -> [String] {
        let lines = Lines()
        try body(TransferDisplay(write: { lines.text += $0 }, terminalSize: nil, headings: headings))
        return lines.text.split(separator: "\n").map(String.init)
    }

    @Test func layersThatAreHereAreNamedOnlyBesideOthers() throws {
        let (a, b, c) = (try digest("a"), try digest("b"), try digest("c"))
        let mixed = lines { display in
            for event: PullEvent in [.exists(a), .layer(b, size: 5), .exists(c)] { display.handle(event) }
        }
        #expect(mixed == ["\(a.short): Already exists", "\(b.short): Pulling fs layer", "\(c.short): Already exists"])
        #expect(lines { for layer in [a, b] { $0.handle(PullEvent.exists(layer)) } }.isEmpty)
    }

    /// A layer that is unpacked already is complete only when its blob is.
    @Test func aLayerIsCompleteAfterItsDownload() throws {
        let layer = try digest("a")
        let shown = lines { display in
            for event: PullEvent in [
                .layer(layer, size: 5), .complete(layer), .verifying(layer), .downloaded(layer),
            ] { display.handle(event) }
        }
        #expect(
            shown.map { $0.dropFirst(14) } == [
                "Pulling fs layer", "Verifying Checksum", "Download complete", "Pull complete",
            ]
        )
    }

    @Test func aPushOfManyTagsHasOneHeading() {
        #expect(lines(headings: false) { $0.handle(PushEvent.pushing(to: "docker.io/library/x")) }.isEmpty)
        #expect(
            lines { $0.handle(PushEvent.pushing(to: "docker.io/library/x")) }
                == ["The push refers to repository [docker.io/library/x]"]
        )
    }

    /// The line of a count is drawn anew, and taken away at the end; without a terminal there is none.
    @Test func aCountHasALineOfItsOwn() {
        let lines = Lines()
        let display = TransferDisplay(
            write: { lines.text += $0 },
            terminalSize: { (columns: 80, rows: 24) },
            clock: { UInt64(lines.text.count) }
        )
        display.count("Importing", 1_000_000, 4_000_000)
        // Too early to be drawn.
        display.count("Importing", 2_000_000, 4_000_000)
        display.count("Importing", 4_000_000, 4_000_000)
        display.endCount()
        display.endCount()
        let clear = "\u{1B}[2K\r"
        #expect(lines.text == "\(clear)Importing      1MB/4MB\r\(clear)Importing      4MB/4MB\r\(clear)")
        #expect(
            self.lines { display in
                display.count("Importing", 1, 2)
                display.endCount()
            }.isEmpty
        )
    }
}
