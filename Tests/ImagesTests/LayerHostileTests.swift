import CLinux
import Images
import LinuxSystem
import OCI
import Testing

/// Every file of rootfs-fixtures/hostile, unpacked by this process and judged by the fixtures' own check.py.
@Suite(.enabled(if: isRoot, "not root")) struct LayerHostileTests {
    static let fixtures = String(#filePath).replacing(
        "Tests/ImagesTests/LayerHostileTests.swift",
        with: "rootfs-fixtures/hostile"
    )

    static let files: [String] = {
        let output = try? runTool(["sh", "-c", "cd \(fixtures) && find . -name '*.layer' | sort"])
        return String(decoding: output ?? [], as: UTF8.self).split(separator: "\n").map { String($0.dropFirst(2)) }
    }()

    @Test(arguments: files, LayerFixture.Form.allCases) func staysInside(_ file: String, form: LayerFixture.Form) throws
    {
        let fixture = try LayerFixture(form)
        let folder = fixture.folder
        let victim = try folder.folder("victim")
        try Files.makeDirectories(victim + "/folder")
        try Files.write(victim + "/hello", Array("unharmed\n".utf8))
        let layer = "\(Self.fixtures)/\(file)"
        try runTool([Self.fixtures + "/tarify.py", "--outside", victim, layer, folder.path + "/tars"])
        // Everything beside the layers themselves, as a whole tree: also what would appear between them.
        let state = [
            "find", folder.path, "-mindepth", "1", "-name", "layer[0-9]*", "-prune", "-o", "-printf",
            "%p %y %m %U %G %n %s %T@ %C@ %l\\n",
        ]
        let before = try runTool(state)
        let json = try JSON.parse(runTool([Self.fixtures + "/tarify.py", "--expect", "--outside", victim, layer]))
        let expected = json["expect"]?.string ?? ""
        var failure: EngineError?
        do {
            for number in 0..<(json["layers"]?.int ?? 0) {
                try fixture.add(Files.read("\(folder.path)/tars/\(number).tar"))
            }
        } catch let error as EngineError {
            failure = error
        }
        let after = try runTool(state)
        #expect(after == before, "something outside changed")
        if let failure {
            #expect(expected != "contained", "\(failure)")
            #expect(!failure.message.contains("\n"))
            return
        }
        #expect(expected != "refuse")
        try check(fixture, json)
    }

    private func check(_ fixture: LayerFixture, _ json: JSON) throws {
        let script = """
            import sys, json
            sys.path.insert(0, sys.argv[1])
            sys.dont_write_bytecode = True
            import check
            wrong = [f for f in json.load(sys.stdin)['facts'] if not check.holds(sys.argv[2], f)]
            print(wrong or '')
            """
        try fixture.mounted { (point: String) throws in
            let said = try runTool(["python3", "-c", script, Self.fixtures, point], input: json.bytes())
            #expect(String(decoding: said, as: UTF8.self) == "\n")
        }
    }
}
