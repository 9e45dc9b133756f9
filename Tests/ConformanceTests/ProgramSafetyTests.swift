import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// A container must not reach the runtime's own program, the host's folders by open descriptors, or its keys.
@Suite(.enabled(if: BlackBox.isEnabled), .timeLimit(.minutes(20))) struct ProgramSafetyTests {
    // MARK: CVE-2019-5736

    /// The runtime under test as a copy in the bundle's folder: a naive one is overwritten by these tests.
    private func copiedBundle() throws -> (bundle: Bundle, programs: [String]) {
        let bundle = try Bundle()
        try bundle.makeFolder("copy")
        let programs = [OCIRuntime.underTest.program] + (OCIRuntime.underTest.kind == .minirun ? [BlackBox.shim] : [])
        try tool("cp", programs[0], programs.last ?? "", bundle.path("copy"))
        return (bundle, programs.map { "\(bundle.path("copy"))/\($0.split(separator: "/").last ?? "")" })
    }

    private func copied(_ bundle: Bundle, _ programs: [String], _ words: [String], seconds: Int = 30) throws -> Outcome
    {
        let prefix = OCIRuntime.underTest.words.map { $0 == OCIRuntime.underTest.program ? programs[0] : $0 }
        let launched = try Launched(
            prefix + ["--root", bundle.root] + words,
            environment: BlackBox.environment(["MINIRUN_SHIM": programs.last ?? ""])
        )
        launched.closeInput()
        let status = try launched.wait(seconds: seconds)
        try launched.readToEnd()
        return Outcome(status: status, out: launched.outText, err: launched.errText)
    }

    /// Gives the image the libraries of a dynamically linked runtime, and one more that the loader is told to load first: it
    /// takes the running program and has the guest overwrite it.
    private func preload(_ programs: [String], in bundle: Bundle) throws {
        let source = """
            #include <fcntl.h>
            #include <stdio.h>
            #include <unistd.h>
            __attribute__((constructor)) static void take(void)
            {
                char number[16];
                snprintf(number, sizeof number, "%d", open("/proc/self/exe", O_RDONLY));
                execl("/guest", "/guest", "overwrite", number, (char *)0);
            }
            """
        try bundle.write("take.c", source)
        try tool("gcc", "-shared", "-fPIC", "-o", bundle.path("rootfs/take.so"), bundle.path("take.c"))
        bundle.config.append("process.env", "LD_PRELOAD=/take.so")
        for program in programs {
            // A static program has none.
            let lines = (try? tool("ldd", program)) ?? ""
            for file in lines.split(whereSeparator: \.isWhitespace) where file.hasPrefix("/") {
                let folder = Files.parent(of: "rootfs\(file)")
                try bundle.makeFolder(folder)
                try tool("cp", "-L", String(file), bundle.path(folder))
            }
        }
    }

    @Test(
        .must(
            "CVE-2019-5736",
            "The program of an image is /proc/self/exe, or a script for it: the runtime is not overwritten."
        ),
        arguments: ["program", "script"]
    )
    func theRuntimeIsNotOverwrittenFromAnEntrypoint(how: String) throws {
        let (bundle, programs) = try copiedBundle()
        let before = try tool("sha256sum", programs[0], programs.last ?? "")
        try preload(programs, in: bundle)
        try bundle.write("rootfs/overwrite", "#!/proc/self/exe\n", mode: 0o755)
        bundle.config.set(
            "process.args",
            how == "script" ? ["/overwrite"] : ["/proc/self/exe", "init"]
        )
        try bundle.writeConfiguration()
        let outcome = try copied(bundle, programs, ["run", "--bundle", bundle.folder, bundle.id])
        #expect(!outcome.out.contains("ok"), "\(outcome)")
        #expect(try tool("sha256sum", programs[0], programs.last ?? "") == before)
    }

    @Test(.must("CVE-2019-5736", "A container that waits for the runtime's exec does not overwrite it."))
    func theRuntimeIsNotOverwrittenFromAnExec() throws {
        let (bundle, programs) = try copiedBundle()
        let before = try tool("sha256sum", programs[0], programs.last ?? "")
        try bundle.write("rootfs/self", "#!/proc/self/exe\n", mode: 0o755)
        try bundle.launch(["/guest", "overwrite", "all"])
        for _ in 0..<8 {
            for program in ["/bin/true", "/proc/self/exe", "/self"] {
                _ = try copied(bundle, programs, ["exec", bundle.id, program, "--version"])
            }
        }
        let seen = try bundle.output()
        #expect(!seen.contains(": ok"), "\(seen)")
        #expect(try tool("sha256sum", programs[0], programs.last ?? "") == before)
    }

    // MARK: CVE-2024-21626

    @Test(
        .must("CVE-2024-21626", "A working folder that is a leaked descriptor of the runtime's leads nowhere."),
        arguments: ["run", "exec"]
    )
    func noDescriptorLeadsOut(verb: String) throws {
        let bundle = try Bundle()
        try bundle.write("secret", "the host's secret")
        let up = String(repeating: "../", count: 12)
        let program = ["/guest", "read", up + bundle.path("secret").dropFirst()]
        if verb == "exec" { try bundle.launch() }
        for number in 3...30 {
            let folder = "/proc/self/fd/\(number)"
            let outcome: Outcome
            if verb == "exec" {
                outcome = try bundle.exec(program, options: ["--cwd", folder])
            } else {
                bundle.config.set("process.cwd", .string(folder))
                bundle.config.set("process.args", .strings(program))
                outcome = try bundle.run()
            }
            #expect(!outcome.out.contains("secret"), "\(folder)")
            #expect(outcome.code != 0, "\(folder) is a folder: \(outcome)")
        }
    }

    @Test(
        .must("CVE-2024-21626", "The caller's descriptors are not the container's, in run and in exec."),
        arguments: ["run", "exec"]
    )
    func theCallersDescriptorsStayOutside(verb: String) throws {
        let bundle = try Bundle()
        let host = try FileDescriptor.open("/", O_RDONLY | O_DIRECTORY)
        let more = Array(repeating: host.raw, count: 20)
        let outcome: Outcome
        if verb == "exec" {
            try bundle.launch()
            outcome = try bundle.invoke(["exec", bundle.id, "/guest", "report"], more: more)
        } else {
            bundle.config.set("process.args", ["/guest", "report"])
            outcome = try bundle.run(more: more)
        }
        let numbers = try GuestReport(outcome)["descriptors"].array?.compactMap { $0["number"]?.int }
        #expect(numbers?.sorted() == [0, 1, 2])
    }

    // MARK: keys

    @Test(.must("keyrings", "The caller's session keyring is not the container's."), arguments: ["run", "exec"])
    func theCallersKeysStayOutside(verb: String) throws {
        let bundle = try Bundle()
        let key = "secret-\(bundle.id)"
        var words = ["exec", bundle.id, "/guest", "keyring", key]
        if verb == "exec" {
            try bundle.launch()
        } else {
            bundle.config.set("process.args", .strings(["/guest", "keyring", key]))
            try bundle.writeConfiguration()
            words = ["run", "--bundle", bundle.folder, bundle.id]
        }
        let launched = try Launched([GuestProgram.path, "with-key", key, "/usr/bin/env"] + bundle.command(words))
        launched.closeInput()
        try launched.wait()
        known(.crun, because: "exec keeps the caller's keyring", if: verb == "exec") {
            #expect(launched.outText.hasPrefix("session: ENOKEY\n"), "\(launched.outText)\(launched.errText)")
        }
    }
}
