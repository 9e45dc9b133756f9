import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// Paths on the command line are bytes; config.json is UTF-8.
@Suite(.enabled(if: BlackBox.isEnabled), .timeLimit(.minutes(5))) struct BytePathTests {
    let bundle: Bundle
    init() throws { bundle = try Bundle() }

    private let name = String(rawBytes: [0xFF, 0xC3, 0x28, 0xF4, 0x8F, 0xBE, 0x80])

    /// Its folder, that of the state, and the files that tell of it.
    @Test func pathsThatAreNoUTF8() throws {
        let own = try bundle.makeFolder("bundle\(name)")
        try retrying("renaming", own) { rename(bundle.path("rootfs"), "\(own)/rootfs") }
        bundle.config.set("process.args", ["/guest", "trap"])
        try Files.write("\(own)/config.json", bundle.config.bytes())
        let state = bundle.path("state\(name)")
        func invoke(_ words: String...) throws -> Outcome {
            let launched = try Launched(
                bundle.runtime.words + ["--root", state, "--log", bundle.path("log\(name)")] + words
            )
            launched.closeInput()
            let status = try launched.wait(seconds: 20)
            return Outcome(status: status, out: launched.outText, err: launched.errText)
        }
        defer { _ = try? invoke("delete", "--force", bundle.id) }
        let file = bundle.path("pid\(name)")
        expectSuccess(try invoke("create", "--bundle", own, "--pid-file", file, bundle.id))
        let pid = try #require(Int(Files.readText(file)))
        expectSuccess(try invoke("start", bundle.id))
        let told = try Subprocess.run(
            bundle.runtime.words + ["--root", state, "state", bundle.id],
            environment: BlackBox.environment(),
            timeout: 20_000
        )
        // JSON is UTF-8.
        #expect(String(validating: told.output, as: UTF8.self) != nil)
        let json = try JSON.parse(told.output)
        #expect(json["pid"]?.int == pid && json["status"]?.string == "running")
        if bundle.runtime.kind == .minirun { #expect(json["bundle"]?.string == own) }
        expectSuccess(try invoke("kill", bundle.id, "KILL"))
        expectSuccess(try invoke("delete", "--force", bundle.id))
        #expect(try Files.list(state).filter { $0 == bundle.id }.isEmpty)
    }

    /// As with runc, a byte of config.json that is no UTF-8 is U+FFFD to the container.
    @Test func bytesInTheConfiguration() throws {
        bundle.config.set("process.args", ["/bin/echo", "MARK"])
        try bundle.writeConfiguration()
        let bytes = try Files.read(bundle.path("config.json"))
        let place = try #require(bytes.firstRange(of: Array("MARK".utf8)))
        try Files.write(bundle.path("config.json"), bytes[..<place.lowerBound] + [0xFF] + bytes[place.upperBound...])
        let outcome = try bundle.invoke(["run", "--bundle", bundle.folder, bundle.id])
        known(.crun, because: "refuses it") { #expect(outcome.out == "\u{FFFD}\n", "\(outcome)") }
    }
}
