import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// Completion in real shells, with what `Scripts/install` puts in place.
@Suite(.enabled(if: Minirun.isEnabled), .timeLimit(.minutes(20))) struct ShellCompletionTests {
    let minirun: Minirun
    init() throws { minirun = try Minirun() }

    private static let scripts = Files.parent(of: Files.parent(of: Files.parent(of: #filePath))) + "/Scripts"

    private func install(_ arguments: String..., destination: String = "") throws -> Outcome {
        let environment = ["MINIRUN": Minirun.program, "MINIRUN_SHIM": Minirun.shim, "DESTDIR": destination]
        return Outcome(
            try Subprocess.run(
                ["/bin/bash", "\(Self.scripts)/install"] + arguments,
                environment: Minirun.environment(environment),
                timeout: 60_000
            )
        )
    }

    private func files(below folder: String) throws -> [String] {
        try tool("sh", "-c", "cd \"$0\" && find . ! -type d | sort", folder).split(separator: "\n").map(String.init)
    }

    @Test func installsAndUninstalls() throws {
        let folder = try minirun.makeFolder("destination")
        #expect(try install("/opt/x", destination: folder).code == 0)
        let first = try files(below: "\(folder)/opt/x")
        for file in [
            "./bin/minirun", "./bin/minirun-oci", "./libexec/minirun/minirun-shim", "./share/man/man1/minirun.1",
            "./share/man/man1/minirun-run.1", "./share/man/man1/minirun-oci.1",
            "./share/bash-completion/completions/minirun", "./share/zsh/site-functions/_minirun",
            "./share/fish/vendor_completions.d/minirun.fish",
        ] { #expect(first.contains(file), "\(file)") }
        // Again, over what is there, with a page of a verb that is no more and one of somebody else's.
        try minirun.write("destination/opt/x/share/man/man1/minirun-gone.1", "old")
        try minirun.write("destination/opt/x/share/man/man1/other.1", "other")
        #expect(try install("/opt/x", destination: folder).code == 0)
        #expect(try files(below: "\(folder)/opt/x").filter { $0 != "./share/man/man1/other.1" } == first)
        #expect(try install("--uninstall", "/opt/x", destination: folder).code == 0)
        #expect(try files(below: folder) == ["./opt/x/share/man/man1/other.1"])
        #expect(try install("--uninstall", "/opt/x", destination: folder).code == 0)
        #expect(try install("relative").code == 125)
        #expect(try install("--nonsense").code == 125)
    }

    @Test func manReadsThePages() throws {
        let folder = try minirun.makeFolder("man/man1")
        #expect(try minirun("__man", folder).code == 0)
        let pages = try Files.list(folder)
        #expect(pages.count > 50)
        // One call for all of them: groff tells of what it does not understand.
        let checked = try Subprocess.run(
            ["/bin/sh", "-c", "cd \"$0\" && groff -man -Tutf8 -ww \"$@\" >/dev/null", folder] + pages,
            environment: Minirun.environment(),
            timeout: 60_000
        )
        #expect(checked.status == .exited(0) && checked.errorText == "", "\(checked.errorText)")
        let shown = try Subprocess.run(
            ["man", "-l", "\(folder)/minirun-container-run.1"],
            environment: Minirun.environment(["MANPAGER": "cat", "MANWIDTH": "80", "LC_ALL": "C.UTF-8"]),
            timeout: 60_000
        )
        #expect(shown.outputText.contains("--entrypoint") && shown.errorText == "", "\(shown.errorText)")
    }

    /// A shell on a terminal with the script read in and the program in its PATH.
    private func shell(_ name: String) throws -> Session {
        let folder = try minirun.makeFolder("bin")
        try Link.create("\(folder)/minirun", to: Minirun.program)
        try minirun.makeFolder("work/folder")
        #expect(try minirun("load", "-i", "\(Fixtures.folder)/busybox.docker.tar").code == 0)
        #expect(try minirun("run", "--name", "some-container", "busybox", "true").code == 0)
        let script = try minirun.write("script", minirun("completion", name).out)
        let words: [String] =
            switch name {
            case "bash": ["bash", "--norc", "--noprofile", "-i"]
            case "zsh": ["zsh", "-f", "-i"]
            default: ["fish", "--no-config", "-i"]
            }
        let session = try Session(
            onTerminal: words,
            environment: Minirun.environment([
                "PATH": "\(folder):/usr/bin:/bin", "PS1": "> ", "HOME": try minirun.makeFolder("home"), "TERM": "dumb",
                "MINIRUN_ROOT": minirun.root, "MINIRUN_STATE": minirun.state, "LC_ALL": "C.UTF-8",
            ]),
            columns: 200
        )
        // zsh takes a folder's slash away again before some characters, in a way that the terminal's bytes tell of.
        let setup = name == "zsh" ? "autoload -Uz compinit; compinit -u -D; unsetopt auto_remove_slash; " : ""
        try session.type("\(setup)source \(script); cd \(minirun.path("work")); echo rea''dy\r")
        session.expect("ready\r\n")
        return session
    }

    /// What is typed, and what stands there after a tab.
    static let lines = [
        ("minirun contai\t", "minirun container "), ("minirun run --sig-\t", "minirun run --sig-proxy "),
        ("minirun rmi bus\t", "minirun rmi busybox:latest "),
        ("minirun rmi busybox:la\t", "minirun rmi busybox:latest "),
        ("minirun rm some\t", "minirun rm some-container "), ("minirun run --pull=al\t", "minirun run --pull=always "),
        ("minirun run -v ./fol\t:/x", "minirun run -v ./folder/:/x"),
        ("minirun image hist\t", "minirun image history "),
    ]

    @Test(arguments: lines) func bash(_ typed: String, _ line: String) throws {
        let session = try shell("bash")
        try session.type(typed)
        session.expect(line)
        try session.type("\u{15}exit\r")
        #expect(try session.wait() == .exited(0))
    }

    @Test(.enabled(if: FileStatus.exists("/usr/bin/zsh")), arguments: lines) func zsh(_ typed: String, _ line: String)
        throws
    {
        let session = try shell("zsh")
        try session.type(typed)
        session.expect(line)
        try session.type("\u{15}exit\r")
        #expect(try session.wait() == .exited(0))
    }

    /// fish is asked what it would offer: its line editor wants a terminal that answers.
    @Test(.enabled(if: FileStatus.exists("/usr/bin/fish"))) func fish() throws {
        _ = try shell("bash")
        let script = try minirun.write("fish.fish", minirun("completion", "fish").out)
        func offered(_ line: String) throws -> [String] {
            let command = "source \(script); cd \(minirun.path("work")); complete -C '\(line)'"
            let result = try Subprocess.run(
                ["fish", "--no-config", "-c", command],
                environment: Minirun.environment([
                    "PATH": "\(minirun.path("bin")):/usr/bin:/bin", "HOME": minirun.path("home"),
                    "MINIRUN_ROOT": minirun.root, "MINIRUN_STATE": minirun.state,
                ]),
                timeout: 60_000
            )
            #expect(result.errorText == "")
            return result.outputText.split(separator: "\n").map { String($0.prefix { $0 != "\t" }) }
        }
        #expect(try offered("minirun contai") == ["container"])
        #expect(try offered("minirun rmi busybox:la") == ["busybox:latest"])
        #expect(try offered("minirun rm some") == ["some-container"])
        #expect(try offered("minirun run --pull=al") == ["--pull=always"])
        #expect(try offered("minirun run -v fol") == ["folder/"])
    }
}
