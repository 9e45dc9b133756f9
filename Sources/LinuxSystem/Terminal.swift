import CLinux

/// A terminal behind a descriptor.
package enum Terminal {
    /// isatty(3).
    package static func isTerminal(_ descriptor: CInt) -> Bool { isatty(descriptor) == 1 }

    /// ioctl(2) TIOCGWINSZ; nil where the descriptor is no terminal or does not know its size (0 × 0, as on some serial
    /// lines and in fresh pseudo-terminals).
    package static func size(_ descriptor: CInt) -> (columns: Int, rows: Int)? {
        var size = winsize()
        guard linux_get_window_size(descriptor, &size) == 0, size.ws_col > 0, size.ws_row > 0 else { return nil }
        return (Int(size.ws_col), Int(size.ws_row))
    }

    /// ioctl(2) TIOCSWINSZ: the kernel sends SIGWINCH to the terminal's foreground processes if it changed.
    package static func setSize(_ descriptor: CInt, columns: Int, rows: Int) throws(SystemError) {
        var size = winsize()
        size.ws_col = UInt16(clamping: columns)
        size.ws_row = UInt16(clamping: rows)
        try retrying("resizing a terminal") { linux_set_window_size(descriptor, &size) }
    }

    /// ioctl(2) TIOCGPTPEER: the side of a pseudo-terminal that programs use, from its master. It does not become anybody's
    /// controlling terminal.
    package static func otherSide(of master: CInt) throws(SystemError) -> FileDescriptor {
        FileDescriptor(owning: try retrying("opening a terminal") { linux_open_terminal_peer(master) })
    }

    /// A terminal's settings, to be restored on every way out.
    package struct Settings: @unchecked Sendable {
        fileprivate var value = termios()
    }

    /// tcgetattr(3).
    package static func settings(_ descriptor: CInt) throws(SystemError) -> Settings {
        var settings = Settings()
        try retrying("reading a terminal's settings") { tcgetattr(descriptor, &settings.value) }
        return settings
    }

    /// tcsetattr(3) after what was written has gone out.
    package static func apply(_ settings: Settings, to descriptor: CInt) throws(SystemError) {
        var value = settings.value
        try retrying("changing a terminal's settings") { tcsetattr(descriptor, TCSADRAIN, &value) }
    }

    /// Every byte goes through unchanged, Ctrl-C too: cfmakeraw(3). The result restores what was before.
    ///
    /// - Parameter showsLines: of what is written a line feed still begins a new line (OPOST).
    package static func makeRaw(_ descriptor: CInt, showsLines: Bool = false) throws(SystemError) -> Settings {
        let before = try settings(descriptor)
        var raw = before
        cfmakeraw(&raw.value)
        if showsLines { raw.value.c_oflag |= tcflag_t(OPOST) }
        try apply(raw, to: descriptor)
        return before
    }
}
