import CLinux
import LinuxSystem
import OCI
import Testing

@testable import Images

/// Layers that are unpacked beside those below them are what they are when those are finished.
@Suite(.enabled(if: isRoot)) struct LayerSideBySideTests {
    /// Everything of a layer's folder that can be seen, a line for each file.
    static func listing(_ directory: String) throws -> [String] {
        var lines: [String] = []
        func walk(_ path: String) throws {
            let file = try FileDescriptor.open(directory + path, linux_o_path | O_NOFOLLOW)
            let metadata = try NodeMetadata.of(file.raw) { _ in true }
            let status = metadata.status
            let attributes = metadata.attributes.map { "\($0.name)=\($0.value)" }.sorted()
            if OverlayForm.isWhiteout(status) { return lines.append("\(path) whiteout") }
            var line = "\(path) \(status.kind) \(status.mode) \(status.owner):\(status.group)"
            line += " \(status.modified.tv_sec).\(status.modified.tv_nsec) \(status.represents) \(attributes)"
            if status.kind == .symbolicLink { line += " -> \(String(decoding: try file.linkTarget(), as: UTF8.self))" }
            if status.kind == .file { line += " \(try Files.readText(directory + path)) links \(status.links)" }
            lines.append(line)
            guard status.kind == .directory else { return }
            for name in try Files.list(directory + path).sorted() { try walk(path + "/" + name) }
        }
        try walk("")
        return lines
    }

    /// Unpacks as if the layers below were finished only when they are asked for. Nil where it would have to begin anew.
    static func unpackBeside(_ tar: [UInt8], into directory: String, over lower: LayerStack) throws -> UnpackSummary? {
        do {
            let unpacking = try LayerUnpacking(directory, over: .later { lower }, limits: .default)
            try unpacking.read(BufferedPieces(MemorySource(tar)))
            return try unpacking.finish()
        } catch is NeedsLowerLayers {
            return nil
        }
    }

    @Test(arguments: 1...8) func randomChainsComeOutTheSame(_ seed: UInt64) throws {
        var random = SplitMix(state: seed)
        let folder = try TemporaryFolder()
        var compared = 0
        for chain in 0..<40 {
            var stack = LayerStack(directories: [])
            for layer in 0..<4 {
                let tar = try RandomLayer.tar(&random)
                let one = try folder.folder("\(chain).\(layer).inOrder")
                let other = try folder.folder("\(chain).\(layer).beside")
                let expected = Result { try LayerUnpacker.unpack(MemorySource(tar), into: one, over: stack) }
                let result = Result { try Self.unpackBeside(tar, into: other, over: stack) }
                switch (expected, result) {
                case (.success(let expected), .success(let found)):
                    guard let found else { break }
                    compared += 1
                    let difference = try Self.listing(one).difference(from: Self.listing(other))
                    let entries = try RandomLayer.describe(tar)
                    #expect(
                        expected == found && difference.isEmpty,
                        "seed \(seed) chain \(chain) layer \(layer): \(entries) \(difference)"
                    )
                case (.failure, .failure), (.failure, .success(nil)): break
                default: Issue.record("seed \(seed) chain \(chain) layer \(layer): \(expected) and \(result)")
                }
                guard case .success = expected else { break }
                stack = LayerStack(directories: [one] + stack.directories)
            }
        }
        #expect(compared > 40)
    }

    @Test func aLinkOfALowerLayerIsSeenTooLate() throws {
        let fixture = try LayerFixture()
        try fixture.add {
            try $0.folder("usr/lib")
            try $0.link("lib", to: "usr/lib")
        }
        let tar = try archive { try $0.file("lib/x/y", "1") }
        let beside = try fixture.folder.folder("beside")
        #expect(try Self.unpackBeside(tar, into: beside, over: fixture.stack) == nil)
    }

    @Test func foldersWithoutAnEntryTakeWhatIsBelow() throws {
        let fixture = try LayerFixture()
        try fixture.add { try $0.folder("a", mode: 0o1700) { $0.mtime = 77 } }
        let tar = try archive {
            try $0.file("a/b", "1")
            try $0.whiteout("a/.wh.nothing")
        }
        let beside = try fixture.folder.folder("beside")
        #expect(try Self.unpackBeside(tar, into: beside, over: fixture.stack)?.files == 2)
        let status = try FileStatus.of(beside + "/a")
        #expect(status.mode == 0o1700 && status.modified.tv_sec == 77)
        #expect(try Files.list(beside + "/a") == ["b"])
    }

    @Test func anImagesLayersAreUnpackedTogether() throws {
        let fixture = try StoreFixture()
        let image = try fixture.image(
            (0..<12).map {
                ["shared": "\($0)", "own\($0)": String(repeating: "x", count: 10_000 * $0), "d/\($0)": ""]
            },
            names: ["x"],
            gzip: true
        )
        var seen: [String] = []
        let stack = try fixture.store.unpackedLayers(of: image) { event in
            if case .unpacked(let layer) = event { seen.append(layer.hex) }
        }
        #expect(seen == image.manifest.layers.map(\.digest.hex))
        #expect(try stack.read("shared", limit: 10) == Array("11".utf8))
        #expect(try stack.list("/d").count == 12)
    }

    @Test func theLowestWrongLayerIsNamedAndThoseBelowStay() throws {
        let fixture = try StoreFixture()
        let image = try fixture.image((0..<6).map { ["f": "\($0)"] }, names: ["x"])
        for position in [2, 4] {
            let path = fixture.store.blobPath(image.manifest.layers[position].digest)
            try Files.write(path, Array(repeating: 0, count: Int(image.manifest.layers[position].size)))
        }
        let text = message { _ = try fixture.store.unpackedLayers(of: image) }
        #expect(text.contains(image.manifest.layers[2].digest.description))
        #expect(try Files.list(fixture.store.layerFolder).sorted() == image.chainIDs[..<2].map(\.hex).sorted())
    }
}

/// A generator whose numbers are the same everywhere.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}

/// Layers of few names, so that entries meet each other and those of other layers.
enum RandomLayer {
    private static func path(_ random: inout SplitMix) -> [String] {
        (0..<Int.random(in: 1...3, using: &random)).map { _ in ["a", "b", "c"][Int.random(in: 0..<3, using: &random)] }
    }

    static func describe(_ tar: [UInt8]) throws -> [String] {
        let reader = TarReader(MemorySource(tar))
        var lines: [String] = []
        while let entry = try reader.next() {
            lines.append("\(entry.kind) \(entry.name) \(printable(entry.linkTarget))")
        }
        return lines
    }

    static func tar(_ random: inout SplitMix) throws -> [UInt8] {
        try archive { writer in
            for number in 0..<Int.random(in: 0...8, using: &random) {
                let parts = path(&random)
                let name = parts.joined(separator: "/")
                switch Int.random(in: 0..<16, using: &random) {
                case 0..<4: try writer.file(name, "\(number)") { $0.mtime = Int64(number) }
                case 4..<8:
                    let mode = UInt32.random(in: 0o700...0o1777, using: &random)
                    let attribute = "user.n\(Int.random(in: 0..<2, using: &random))"
                    try writer.folder(name, mode: mode) { entry in
                        entry.mtime = Int64(1000 + number)
                        entry.uid = UInt32(number)
                        entry.xattrs = [(name: attribute, value: [UInt8(number)])]
                    }
                case 8: try writer.link(name, to: path(&random).joined(separator: "/"))
                case 9: try writer.link(name, to: path(&random).joined(separator: "/"), kind: .hardlink)
                case 10..<14:
                    try writer.whiteout((parts.dropLast() + [".wh." + (parts.last ?? "")]).joined(separator: "/"))
                default: try writer.whiteout((parts.dropLast() + [".wh..wh..opq"]).joined(separator: "/"))
                }
            }
        }
    }
}
