import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// Whatever an image, a layer, a Dockerfile or a program in a build says: on a terminal it moves no cursor, renames no window and
/// turns no text round. What the engine draws itself is all that may be carried out.
@Suite(.enabled(if: Minirun.isEnabled), .timeLimit(.minutes(10))) struct HostileTextTests {
    let minirun: Minirun
    init() throws { minirun = try Minirun() }

    /// A window's title, a screen that is cleared (by an 8-bit CSI and by a 7-bit one), a reset, and text from right to left.
    static let hostile = "MARK\u{1B}]0;name\u{07}\u{9B}2J\u{1B}[5;7z\u{1B}c\u{202E}\u{08}\u{7F}"

    private func seen(_ words: [String], _ location: SourceLocation = #_sourceLocation) throws -> String {
        let session = try Session(minirun, onTerminal: words, columns: 200, rows: 50)
        _ = try session.wait(seconds: 60)
        expectClean(session.seen, "\(words)", location)
        return session.seen
    }

    private func expectClean(_ text: String, _ what: String, _ location: SourceLocation) {
        var rest = Array(text.unicodeScalars)[...]
        while let scalar = rest.popFirst() {
            switch scalar {
            case "\t", "\n", "\r": continue
            case "\u{1B}":
                // What a display of ours moves: CSI, numbers, a letter.
                let isCSI = rest.first == "["
                let numbers = rest.dropFirst().prefix { "0123456789;?".unicodeScalars.contains($0) }
                let letter = rest.dropFirst(1 + numbers.count).first
                if isCSI, let letter, "mKJABCDGHhl".unicodeScalars.contains(letter) { continue }
            case "\0"..."\u{1F}", "\u{7F}"..."\u{9F}", "\u{200E}", "\u{200F}", "\u{2028}"..."\u{202E}": break
            default: continue
            }
            Issue.record("\(what): \(scalar.debugDescription) in \(text.debugDescription)", sourceLocation: location)
            return
        }
    }

    /// An image whose configuration is all that.
    private func load() throws -> String {
        let tree = try Fixtures.tree(minirun)
        try Files.write("\(tree)/\(Self.hostile.filter { $0 != "/" })", [1])
        let text = JSON.string(Self.hostile)
        let place = try Fixtures.image(
            from: tree,
            configuration: [
                "Labels": .object([(Self.hostile, text), ("plain", text)]),
                "Env": .array([.string("V=\(Self.hostile)")]), "Cmd": .array([.string("/\(Self.hostile)")]),
                "User": "", "WorkingDir": .string("/\(Self.hostile)"),
                "Volumes": .object([("/\(Self.hostile)", [:])]), "StopSignal": "SIGTERM",
            ],
            at: minirun.path("hostile"),
            document: [
                ("author", text), ("comment", text), ("os.version", text), ("variant", text),
                ("history", .array([.object([("created_by", text), ("comment", text), ("author", text)])])),
            ]
        )
        let layout = String(place.dropFirst("oci:".count))
        try tool("tar", "-C", layout, "-cf", minirun.path("hostile.tar"), ".")
        let loaded = try minirun("load", "-i", minirun.path("hostile.tar"))
        #expect(loaded.code == 0, "\(loaded)")
        let id = try minirun("images", "-q", "--no-trunc").line
        #expect(try minirun("tag", id, "hostile").code == 0)
        return place
    }

    @Test func whatAnImageHas() throws {
        let place = try load()
        #expect(try minirun("load", "-i", "\(Fixtures.folder)/busybox.docker.tar").code == 0)
        for words in [
            ["history", "--no-trunc", "hostile"], ["history", "--format", "{{.CreatedBy}} {{.Comment}}", "hostile"],
            ["inspect", "hostile"], ["inspect", "-f", "{{.Config.Env}} {{json .Config.Labels}}", "hostile"],
            ["inspect", "-f", "{{range $k, $v := .Config.Labels}}{{$k}}={{println $v}}{{end}}", "hostile"],
            ["run", "hostile"], ["run", place], ["-D", "run", "hostile"], ["run", "--explain", "hostile"],
            ["run", "--explain=json", "hostile"], ["image", "diff", "busybox", "hostile"], ["images", "--tree"],
            ["ps", "-a", "--no-trunc"], ["ps", "-a", "--format", "{{.Command}} {{.Labels}} {{.Mounts}}"],
            ["run", "hostile", "/\(Self.hostile)"], ["inspect", Self.hostile], ["run", Self.hostile],
            ["-D", "load", "-i", minirun.path("hostile.tar")], ["load", "-i", "/\(Self.hostile)"],
        ] {
            let text = try seen(words)
            let isQuiet = words[0] == "images" || words[0] == "load" || words[1] == "load"
            #expect(text.contains("MARK") || isQuiet, "\(words): \(text)")
        }
        // A file of a layer that is not what it was.
        let layers = try tool("find", minirun.root, "-path", "*/fs/*", "-name", "MARK*").split(separator: "\n")
        #expect(!layers.isEmpty)
        for _ in layers {
            try tool(
                "find",
                minirun.root,
                "-path",
                "*/fs/*",
                "-name",
                "MARK*",
                "-exec",
                "sh",
                "-c",
                "echo > \"$0\"",
                "{}",
                ";"
            )
        }
        #expect(try seen(["image", "verify", "hostile"]).contains("MARK"))
        _ = try seen(["system", "check"])
        _ = try seen(["rmi", "-f", "hostile"])
        // Into a pipe it goes as it is.
        #expect(try minirun("inspect", "-f", "{{index .Config.Labels \"plain\"}}", "busybox").code == 0)
    }

    @Test(arguments: ["auto", "plain", "tty"]) func whatABuildSays(progress: String) throws {
        _ = try load()
        let context = try minirun.makeFolder("context")
        try Files.write("\(context)/\(Self.hostile)", [1])
        let lines = [
            "FROM hostile", "LABEL x=\"\(Self.hostile)\"", "ENV W=\"\(Self.hostile)\"", "COPY . /copied/",
            "RUN [\"/bin/sh\", \"-c\", \"printf %s \\\"$V\\\"; echo; sleep 0.3; printf %s \\\"$V\\\" >&2; echo >&2\"]",
            "RUN echo \"\(Self.hostile)\"",
        ]
        func build(_ more: [String], _ words: [String] = []) throws -> String {
            try minirun.write("context/Dockerfile", (lines + more).joined(separator: "\n") + "\n")
            return try seen(words + ["build", "--progress=\(progress)", context])
        }
        for _ in 0..<2 { #expect(try build([]).contains("MARK")) }
        #expect(try build(["RUN echo \"\(Self.hostile)\"; false"]).contains("MARK"))
        #expect(try build(["RUN echo \"\(Self.hostile)\" >&2; exit 3"], ["-D"]).contains("MARK"))
        #expect(try build(["COPY \(Self.hostile)none /"]).contains("MARK"))
        #expect(try build(["NONSENSE \(Self.hostile)"]).contains("NONSENSE"))
        #expect(try build(["FROM \(Self.hostile)"]).contains("MARK"))
        #expect(try build(["maintainer \(Self.hostile)"]).contains("MARK"))
        _ = try seen(["build", "-q", context])
        _ = try seen(["build", "--target", Self.hostile, context])
        _ = try seen(["build", "-f", minirun.path(Self.hostile), context])
        _ = try seen(["build", minirun.path(Self.hostile)])
    }

    /// An archive's names and texts in what is refused.
    @Test func whatAnArchiveSays() throws {
        let tree = try minirun.makeFolder("archive")
        for (name, manifest) in [
            ("tag", "[{\"Config\":\"c.json\",\"RepoTags\":[\(JSON.string(Self.hostile).text())],\"Layers\":[]}]"),
            ("config", "[{\"Config\":\(JSON.string(Self.hostile).text()),\"RepoTags\":null,\"Layers\":[]}]"),
            ("layer", "[{\"Config\":\"c.json\",\"RepoTags\":null,\"Layers\":[\(JSON.string(Self.hostile).text())]}]"),
        ] {
            try Files.write("\(tree)/manifest.json", Array(manifest.utf8))
            try Files.write("\(tree)/c.json", Array("{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}".utf8))
            try tool("tar", "-C", tree, "-cf", minirun.path("\(name).tar"), ".")
            for words in [["load", "-i"], ["-D", "load", "-i"]] { _ = try seen(words + [minirun.path("\(name).tar")]) }
            _ = try seen(["run", "docker-archive:\(minirun.path("\(name).tar"))"])
        }
        _ = try seen(["import", "-c", "LABEL \(Self.hostile)", minirun.path("tag.tar"), Self.hostile])
        _ = try seen(["import", "-c", Self.hostile, minirun.path("tag.tar"), "x"])
    }
}
