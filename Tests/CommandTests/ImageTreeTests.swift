import OCI
import Testing

@testable import minirun

/// `images --tree` against what docker 28.2 prints of the same images; its titles' colours where there is no terminal are a
/// slip that was mended later.
@Suite struct ImageTreeTests {
    private static func details(_ digit: String, _ usage: Int64, _ content: Int64, used: Bool = false)
        -> ImageTree.Details
    {
        let id = String(repeating: digit, count: 12)
        return ImageTree.Details(id: id, diskUsage: usage, contentSize: content, isInUse: used)
    }

    private static func entries(used: Bool) -> [ImageTree.Entry] {
        [
            ImageTree.Entry(
                names: ["busybox:latest", "localhost:5000/some/very/long/name/of/an/image/that/goes/on:v1.0", "b:1"],
                details: details("a", 12_345_678, 4_305_000, used: used),
                platforms: [
                    .init(name: "linux/amd64", details: details("b", 12_300_000, 4_300_000, used: used), isHere: true),
                    .init(name: "linux/arm64/v8", details: details("c", 0, 0), isHere: false),
                ],
                created: 100
            ),
            ImageTree.Entry(
                names: ["one:1"],
                details: details("e", 999, 999),
                platforms: [.init(name: "linux/amd64", details: details("f", 999, 999), isHere: true)],
                created: 200
            ),
            ImageTree.Entry(names: [], details: details("1", 0, 0), platforms: [], created: 50),
        ]
    }

    /// With what stands at the end of a line.
    private func marked(_ text: String) -> String { text.replacing("\n", with: "$\n") }

    @Test func linesAreDockers() {
        #expect(
            marked(ImageTree(Self.entries(used: true), columns: nil).text) == """
                WARNING: This is an experimental feature. The output may change and shouldn't be depended on.$
                                                                              Info ->  U In Use $
                $
                IMAGE                           ID             DISK USAGE   CONTENT SIZE   EXTRA$
                one:1                           eeeeeeeeeeee         999B           999B        $
                └─ linux/amd64                  ffffffffffff         999B           999B        $
                $
                localhost:5000/some/very/long/name/of/an/image/that/goes/on:v1.0$
                busybox:latest$
                b:1                             aaaaaaaaaaaa       12.3MB          4.3MB   U    $
                ├─ linux/amd64                  bbbbbbbbbbbb       12.3MB          4.3MB   U    $
                └─ linux/arm64/v8               cccccccccccc           0B             0B        $
                $
                <untagged>                      111111111111           0B             0B        $
                $

                """
        )
        let idle = ImageTree(Self.entries(used: false), columns: nil).text
        #expect(!idle.contains("   U    ") && idle.contains("b:1                             aaaaaaaaaaaa"))
    }

    @Test func aTerminalHasColours() {
        let lines = ImageTree(Self.entries(used: true), columns: 120).text.split(
            separator: "\n",
            omittingEmptySubsequences: false
        )
        let escape = "\u{1B}["
        let info =
            "\(escape)1m\(escape)106m\(escape)30mi\(escape)0m\(escape)0m \(escape)96mInfo → \(escape)0m\(escape)0m"
        let used = "\(escape)38;5;0m\(escape)48;5;14m U \(escape)0m"
        #expect(lines[0].hasPrefix("\(escape)93mWARNING") && lines[0].hasSuffix("\(escape)0m"))
        #expect(lines[1] == "\(String(repeating: " ", count: 99))\(info) \(used) In Use ")
        #expect(lines[3].hasPrefix("\(escape)39m\(escape)1mIMAGE\(escape)0m") && lines[3].hasSuffix("EXTRA\(escape)0m"))
        let gap = String(repeating: " ", count: 62)
        #expect(lines[4].hasPrefix("\(escape)34m\(escape)1mone:1\(escape)0m\(gap)\(escape)39meeeeeeeeeeee\(escape)0m"))
        #expect(lines[9].hasSuffix("\(escape)39m4.3MB\(escape)0m   \(used)  "))
        #expect(lines[11].hasPrefix("\(escape)39m\(escape)2m└─ linux/arm64/v8\(escape)0m"))
        #expect(lines[11].hasSuffix("\(escape)39m\(escape)2m0B\(escape)0m        "))
    }

    /// Columns for which there is no room beside twelve of the name are left out, and names are cut.
    @Test func aNarrowTerminal() {
        let plain = ImageTree([Self.entries(used: false)[1]], columns: 28).text
        #expect(plain.contains("IMAGE") && plain.contains("ID") && !plain.contains("DISK"))
        #expect(plain.contains("└─ linux/amd…"))
    }
}
