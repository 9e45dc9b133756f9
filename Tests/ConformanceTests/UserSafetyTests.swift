import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// Who a process becomes, whatever numbers a configuration has and whatever lies in the place of /etc/passwd.
@Suite(.enabled(if: BlackBox.isEnabled), .timeLimit(.minutes(20))) struct UserSafetyTests {
    let bundle: Bundle
    init() throws { bundle = try Bundle() }

    /// CVE-2024-40635: setresuid(2) takes 4294967295 for "as it is", and that is root.
    @Test(arguments: ["uid", "gid", "additionalGids"], ["4294967295", "4294967294", "2147483648"])
    func idsBeyondTheRangeAreRefused(member: String, number: String) throws {
        let value: JSON = member == "additionalGids" ? [.number(number)] : .number(number)
        bundle.config.set("process.user.\(member)", value)
        bundle.config.set("process.args", ["/guest", "report"])
        let outcome = try bundle.run()
        #expect(outcome.code != 0 && outcome.out.isEmpty, "\(outcome)")
    }

    @Test(arguments: ["4294967295", "2147483648", "0:4294967295", "4294967296", "-1"])
    func theSameOfExec(user: String) throws {
        try bundle.launch()
        let outcome = try bundle.exec(["/guest", "report"], options: ["--user", user])
        #expect(outcome.code != 0 && outcome.out.isEmpty, "\(outcome)")
    }

    /// CVE-2026-61801: HOME is looked up in the container, once its program is about to start.
    @Test(arguments: ["holes", "pipe", "zero", "folder", "lines"]) func whateverIsInPasswdsPlace(kind: String) throws {
        let path = bundle.path("rootfs/etc/passwd")
        try Files.makeDirectories(bundle.path("rootfs/etc"))
        if FileStatus.exists(path) { try Files.remove(path) }
        switch kind {
        case "holes":
            let file = try FileDescriptor.open(path, O_WRONLY | O_CREAT, mode: 0o644)
            try retrying("making holes") { ftruncate(file.raw, 30 << 30) }
        case "pipe": try retrying("mkfifo") { mkfifo(path, 0o666) }
        case "zero": try retrying("mknod") { mknod(path, mode_t(S_IFCHR) | 0o666, linux_makedev(1, 5)) }
        case "folder": try Files.makeDirectories(path)
        default: try Files.write(path, [UInt8](repeating: UInt8(ascii: "\n"), count: 2 << 20))
        }
        bundle.config.set("process.env", ["PATH=/bin"])
        bundle.config.set("process.args", ["/guest", "report"])
        let before = Clock.monotonic
        let outcome = try bundle.run()
        // Reading 30 GiB of holes takes a minute.
        #expect(Clock.monotonic - before < 20_000_000_000, "\(outcome)")
        #expect(try GuestReport(outcome).environment.contains("HOME=/"))
    }
}
