import CLinux

extension Terminal {
    /// What somebody types without seeing it.
    package enum Secret: Equatable, Sendable {
        case line(String)
        /// Ctrl-C.
        case interrupted
        /// Ctrl-D at the line's begin, or a terminal that went away.
        case ended
    }

    /// Reads a line without showing it. The terminal's own editing is off meanwhile: it would cut the line at 4096 bytes,
    /// which a token may have, and a Ctrl-C would end the program and leave the terminal silent. So Backspace, Ctrl-U, Ctrl-C
    /// and Ctrl-D are done here.
    package static func readSecret(_ descriptor: CInt) throws(SystemError) -> Secret {
        let before = try makeRaw(descriptor, showsLines: true)
        let secret: Secret
        do throws(SystemError) { secret = try typedSecret(descriptor) } catch {
            try? apply(before, to: descriptor)
            throw error
        }
        try apply(before, to: descriptor)
        return secret
    }

    private static func typedSecret(_ descriptor: CInt) throws(SystemError) -> Secret {
        var line: [UInt8] = []
        while true {
            var byte: UInt8 = 0
            let count = try retrying("reading a terminal") { read(descriptor, &byte, 1) }
            if count == 0 { return .ended }
            switch byte {
            case 0x03: return .interrupted
            case 0x04 where line.isEmpty: return .ended
            case 0x0A, 0x0D, 0x04: return .line(String(rawBytes: line))
            case 0x08, 0x7F:
                // A whole character of UTF-8.
                while let last = line.popLast(), last & 0xC0 == 0x80 {}
            case 0x15: line = []
            default: line.append(byte)
            }
            // Nobody types more than this.
            if line.count > 64 << 10 { throw SystemError("reading a terminal", code: EMSGSIZE) }
        }
    }
}

extension StandardStream {
    /// Reads up to a line feed, byte by byte: what follows stays for whoever reads next. Nil at the end.
    package func readLine(limit: Int = 64 << 10) throws(SystemError) -> String? {
        var line: [UInt8] = []
        while true {
            var byte: UInt8 = 0
            let count = try retrying("reading") { read(rawValue, &byte, 1) }
            if count == 0 { return line.isEmpty ? nil : String(rawBytes: line) }
            if byte == 0x0A { return String(rawBytes: line) }
            line.append(byte)
            if line.count > limit { throw SystemError("reading", code: EMSGSIZE) }
        }
    }
}
