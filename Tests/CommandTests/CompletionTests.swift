import Testing

@testable import minirun

/// What a shell's script asks for: candidates, and what the shell is to do beside.
@Suite struct CompletionTests {
    private func complete(_ words: [String]) -> Completion {
        SampleTable.table().completion(of: words) { kind, globals in
            switch kind {
            case .image: ["busybox:latest", "alpine:3", "root=\(globals.root ?? "")"]
            case .container: ["web", "db"]
            default: []
            }
        }
    }

    static let candidates: [([String], [String])] = [
        (["ru"], ["run"]), (["container", "r"], ["rm", "run"]), (["run", "--sig"], ["--sig-proxy"]),
        (["run", "--pull", ""], ["always", "missing", "never"]), (["run", "--pull", "a"], ["always"]),
        (["run", "--pull=n"], ["--pull=never"]), (["run", "--rm="], ["--rm=true", "--rm=false"]),
        (["--root", "/x", "image", "hi"], ["history"]), (["image", "history", "--no"], ["--no-trunc"]),
        (["completion", "z"], ["zsh"]), (["help", "hist"], ["history"]), (["help", "image", "hi"], ["history"]),
        (["run", "busy"], ["busybox:latest"]), (["run", "-it", "--name", "x", "busy"], ["busybox:latest"]),
        (["run", "-e", "busy"], []), (["run", "busybox", "busy"], []), (["run", "busybox", "--r"], []),
        (["run", "-ite", "A=1", "al"], ["alpine:3"]), (["run", "--env=A", "al"], ["alpine:3"]),
        (["rm", ""], ["web", "db"]), (["rm", "web", ""], ["db"]), (["rmi", "alpine:3", "al"], []),
        (["inspect", "d"], ["db"]), (["inspect", "bu"], ["busybox:latest"]), (["tag", "al"], ["alpine:3"]),
        (["--root", "/r", "rmi", "root"], ["root=/r"]), (["--root=/r", "rmi", "root"], ["root=/r"]),
        (["--log-level", "d"], ["debug"]), (["-D", "-l", "f"], ["fatal"]), (["--ro"], ["--root"]),
        (["run", "--network", "h"], ["host"]), (["run", "--net", "h"], ["host"]),
        (["nonsense", "x"], []), (["nonsense", "--x"], []), ([], []), (["images", "--t"], ["--tree"]),
        (["run", "--", "al"], []), (["rmi", "--", "al"], ["alpine:3"]), (["version", ""], []),
        (["container", "nonsense", ""], []), (["run", "--nonsense", "al"], ["alpine:3"]),
        // What is not carried out is not offered.
        (["run", "--det"], []), (["run", "--restart"], []),
    ]

    @Test(arguments: candidates) func offers(_ words: [String], _ expected: [String]) {
        // Of no word at all everything: only that nothing goes wrong.
        if words.isEmpty { return #expect(!complete(words).candidates.isEmpty) }
        #expect(complete(words).candidates.map(\.text) == expected)
    }

    static let directives: [([String], Completion.Directive)] = [
        (["run", "-v", "/ho"], .folders), (["run", "-v/ho", "x"], .noFiles), (["run", "--volume=/ho"], .folders),
        (["run", "-v", "/home:/x"], .noFiles), (["run", "--env-file", ""], []), (["build", ""], .folders),
        (["build", "-f", ""], []), (["load", "-i", ""], []), (["run", "./d"], .folders), (["run", "oci:d"], .folders),
        (["run", "docker-archive:d"], []), (["run", "busy"], .noFiles), (["--root", ""], .folders),
        (["ps", "-"], .noFiles),
    ]

    @Test(arguments: directives) func saysWhatTheShellDoes(_ words: [String], _ expected: Completion.Directive) {
        #expect(complete(words).directive == expected)
    }

    @Test func everyWordEndsSomewhere() {
        for verb in Commands.table.verbs {
            for form in verb.forms {
                for word in ["", "-", "--", "--x=", "=", ":", "\u{1B}"] {
                    _ = complete(form.split(separator: " ").map(String.init) + [word])
                }
            }
        }
    }

    @Test func theAnswersForm() {
        let completion = Completion(
            candidates: [.init(text: "a", description: "b"), .init(text: "c")],
            directive: [.folders, .noSpace]
        )
        #expect(completion.text == "a\tb\nc\n:18\n")
    }

    // MARK: Man pages

    @Test func aPageForEveryVerb() throws {
        let pages = Commands.table.manPages(
            version: "1",
            runtime: OCICommands.table,
            runtimeOptions: OCIGlobals.options
        )
        let files = pages.flatMap { [$0.file] + $0.links }
        #expect(Set(files).count == files.count)
        for verb in Commands.table.verbs where !verb.hidden {
            for form in verb.forms {
                #expect(files.contains("minirun-\(form.replacing(" ", with: "-")).1"), "\(form)")
            }
        }
        let page = try #require(pages.first { $0.file == "minirun-run.1" })
        let run = page.text
        #expect(run.contains("\\fB\\-e\\fR, \\fB\\-\\-env\\fR\\fI list\\fR\nSet environment variables\n"))
        #expect(run.contains("NOT SUPPORTED YET") && run.contains("\\fB\\-\\-detach\\fR"))
        #expect(page.links == ["minirun-container-run.1"])
        #expect(run.contains("minirun\\-run, minirun\\-container\\-run \\- Create and run"))
        // No line of a text is taken for a request.
        for page in pages {
            for line in page.text.split(separator: "\n") where line.hasPrefix(".") || line.hasPrefix("'") {
                let request = line.dropFirst().prefix { $0 != " " }
                #expect(
                    ["TH", "SH", "SS", "TP", "B", "I", "BR", "br", "so"].contains(request),
                    "\(page.file): \(line)"
                )
            }
        }
    }
}
