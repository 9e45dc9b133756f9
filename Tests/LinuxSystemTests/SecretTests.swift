import CLinux
import LinuxSystem
import Testing

@Suite struct SecretTests {
    /// What is typed, once the terminal has fallen silent, and what is read of it.
    @Test(
        arguments: [
            ("secret\r", .line("secret")), ("a b\n", .line("a b")), ("\r", .line("")),
            ("ab\u{7F}c\u{08}\u{08}\u{08}\u{08}d\r", .line("d")),
            ("x\u{15}y\r", .line("y")), ("é€\u{7F}\r", .line("é")), ("ab\u{03}", .interrupted), ("\u{04}", .ended),
            ("ab\u{04}", .line("ab")),
            (String(repeating: "x", count: 6000) + "\r", .line(String(repeating: "x", count: 6000))),
        ] as [(String, Terminal.Secret)]
    )
    func typed(_ text: String, _ secret: Terminal.Secret) throws {
        let terminal = try PseudoTerminal()
        let descriptor = try FileDescriptor.open(terminal.name, O_RDWR | O_NOCTTY)
        #expect(echoes(descriptor.raw))
        // Somebody who types when the terminal has fallen silent.
        let typist = try Subprocess.start(
            [
                "sh", "-c", #"until stty -F "$1" -a | grep -q -e '-echo '; do :; done; printf %s "$2""#, "sh",
                terminal.name, text,
            ],
            descriptors: [-1, terminal.master.raw, 2]
        )
        let read = try Terminal.readSecret(descriptor.raw)
        #expect(try Subprocess.wait(for: typist) == .exited(0))
        #expect(read == secret)
        // As it was before; and nothing was shown.
        #expect(echoes(descriptor.raw))
        #expect(waiting(terminal.master.raw) == 0)
    }

    private func echoes(_ descriptor: CInt) -> Bool {
        var settings = termios()
        return tcgetattr(descriptor, &settings) == 0 && settings.c_lflag & tcflag_t(ECHO) != 0
    }

    /// How many bytes could be read.
    private func waiting(_ descriptor: CInt) -> Int32 {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, 0)
    }
}
