import Images
import LinuxSystem
import OCI
import Testing

@Suite(.enabled(if: isRoot, "not root")) struct LayerStackTests {
    static func fixture(_ form: LayerFixture.Form) throws -> LayerFixture {
        let fixture = try LayerFixture(form)
        try fixture.add { tar in
            try tar.folder("usr/bin/")
            try tar.file("usr/bin/sh", "lower sh")
            try tar.file("usr/bin/ls", "lower ls")
            try tar.link("bin", to: "usr/bin")
            try tar.link("up", to: "../../../usr/./bin/../bin/sh")
            try tar.link("loop", to: "loop")
            try tar.file("etc/passwd", "root")
            try tar.file("etc/gone", "x")
            try tar.file("var/a", "x")
        }
        try fixture.add { tar in
            try tar.file("usr/bin/sh", "upper sh")
            try tar.whiteout("etc/.wh.gone")
            try tar.file("etc/new", "n")
            try tar.folder("var/")
            try tar.whiteout("var/.wh..wh..opq")
        }
        return fixture
    }

    @Test(arguments: LayerFixture.Form.allCases) func resolvesInsideTheMergedTree(form: LayerFixture.Form) throws {
        let fixture = try Self.fixture(form)
        #expect(try fixture.text("/bin/sh") == "upper sh")
        #expect(try fixture.text("bin/ls") == "lower ls")
        #expect(try fixture.text("/up") == "upper sh")
        #expect(try fixture.text("/../../bin/../bin/ls") == "lower ls")
        #expect(try fixture.text("etc/gone") == nil)
        #expect(try fixture.text("var/a") == nil)
        #expect(try fixture.text("etc/passwd/x") == nil)
        #expect(try fixture.text("etc") == nil)
        // As where docker looks for users: nobody is found there, and a user by number needs nobody.
        #expect(try fixture.text("loop") == nil)
        let found = try #require(try fixture.stack.lookup("/bin/ls"))
        #expect(found.path == "/usr/bin/ls" && found.directory == fixture.stack.directories[1])
        #expect(found.pathInLayer == "usr/bin/ls")
        #expect(try fixture.stack.lookup("/bin", followLast: false)?.status.kind == .symbolicLink)
        #expect(try fixture.stack.lookup("/bin")?.path == "/usr/bin")
        #expect(try fixture.stack.lookup("/")?.path == "/")
    }

    @Test(arguments: LayerFixture.Form.allCases) func listsWhatAnOverlayShows(form: LayerFixture.Form) throws {
        let fixture = try Self.fixture(form)
        #expect(try fixture.stack.list("/etc") == ["new", "passwd"])
        #expect(try fixture.stack.list("/var").isEmpty)
        #expect(try fixture.stack.list("bin") == ["ls", "sh"])
        #expect(throws: EngineError.self) { try fixture.stack.list("/nowhere") }
        let names = try fixture.mounted { try Files.list($0).sorted() }
        #expect(try fixture.stack.list("/") == names)
    }
}

@Suite struct LayerTarTests {
    @Test func findsAFileWithoutUnpacking() throws {
        let lower = try archive { tar in
            try tar.link("etc/os-release", to: "../usr/lib/os-release")
            try tar.file("usr/lib/os-release", "old")
            try tar.link("lib", to: "usr/lib")
            try tar.file("gone", "x")
            try tar.file("dir/gone", "x")
            try tar.file("below", "x")
            try tar.link("twin", to: "usr/lib/os-release", kind: .hardlink)
        }
        let upper = try archive { tar in
            try tar.file("usr/lib/os-release", "new")
            try tar.whiteout(".wh.gone")
            try tar.whiteout("dir/.wh..wh..opq")
            try tar.file("below", "")
        }
        let layers: [() throws -> any ByteSource] = [{ MemorySource(upper) }, { MemorySource(lower) }]
        func text(_ path: String) throws -> String? {
            try MergedTar.read(path: path, from: layers).map { String(decoding: $0, as: UTF8.self) }
        }
        #expect(try text("/etc/os-release") == "new")
        #expect(try text("lib/os-release") == "new")
        #expect(try text("twin") == "old")
        #expect(try text("gone") == nil)
        #expect(try text("dir/gone") == nil)
        #expect(try text("below") == "")
        #expect(try text("nothing/here") == nil)
        #expect(try text("usr/lib/os-release/x") == nil)
    }
}
