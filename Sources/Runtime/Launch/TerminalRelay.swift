import CLinux
import LinuxSystem

/// Copies between the caller's terminal and the container's. The caller's is raw meanwhile, so that Ctrl-C is a byte for the
/// container, and as it was before on every way out.
///
/// Never waits for either side: a program that does not read what is pasted, or a reader that stopped (Ctrl-S), must not keep
/// the engine from passing signals on.
package struct TerminalRelay: ~Copyable {
    private let master: FileDescriptor
    /// The container's side. While the engine holds it, a program that closes its terminal and opens it again makes no hang-up
    /// that poll(2) would report for ever.
    private let other: FileDescriptor
    private let input: CInt?
    private let output: CallerOutput
    private let restored: Terminal.Settings?
    private var inputOpen: Bool
    private var outputOpen = true
    /// What was read on one side and is not written on the other yet.
    private var typed: ArraySlice<UInt8> = []
    private var shown: ArraySlice<UInt8> = []

    /// - Parameters:
    ///   - input: nil without `-i`.
    ///   - showsLines: the caller's terminal makes new lines of line feeds, where the container's keeps them.
    package init(master: consuming FileDescriptor, input: CInt?, output: CInt, showsLines: Bool = false) throws {
        try retrying("setting up the terminal") { linux_fcntl(master.raw, F_SETFL, O_RDWR | O_NONBLOCK) }
        let other = try Terminal.otherSide(of: master.raw)
        let restored = try input.flatMap {
            Terminal.isTerminal($0) ? try Terminal.makeRaw($0, showsLines: showsLines) : nil
        }
        self.master = master
        self.other = other
        self.input = input
        self.output = CallerOutput(output)
        self.restored = restored
        inputOpen = input != nil
    }

    deinit {
        if let input, let restored { try? Terminal.apply(restored, to: input) }
    }

    /// What to poll: the caller's input, the container's terminal, the caller's output.
    package var polled: [pollfd] {
        // -1 where there is nothing to wait for: poll(2) reports a hang-up unasked.
        let wanted = (shown.isEmpty ? POLLIN : 0) | (typed.isEmpty ? 0 : POLLOUT)
        return [
            pollfd(fd: inputOpen && typed.isEmpty ? input ?? -1 : -1, events: Int16(POLLIN), revents: 0),
            pollfd(fd: wanted == 0 ? -1 : master.raw, events: Int16(wanted), revents: 0),
            pollfd(fd: shown.isEmpty ? -1 : output.raw, events: Int16(POLLOUT), revents: 0),
        ]
    }

    /// Carries what has come and what there is room for. At the end of the caller's input the container's terminal gets its
    /// end-of-file character, as when somebody types Ctrl-D.
    package mutating func carry(inputReady: Bool, outputReady: Bool) {
        if inputReady, let input {
            if let bytes = TerminalRelay.read(input) { typed = bytes } else { inputOpen = false }
            if !inputOpen { typed = [4] }
        }
        if !TerminalRelay.write(&typed, to: master.raw) { typed = [] }
        if outputReady { show() }
        if shown.isEmpty, let bytes = TerminalRelay.read(master.raw) {
            shown = bytes
            // Only what poll(2) has said is sure not to wait, where the output could not be opened anew.
            if !output.mayBlock { show() }
        }
    }

    /// After the container's end: what it wrote last is still in the terminal's buffer. False when all of it has gone out.
    package mutating func drain(outputReady: Bool) -> Bool {
        if outputReady || !output.mayBlock { show() }
        while shown.isEmpty, let bytes = TerminalRelay.read(master.raw), !bytes.isEmpty {
            shown = bytes
            if !output.mayBlock { show() }
        }
        return !shown.isEmpty
    }

    /// The container's terminal takes the caller's size.
    package func resize() {
        guard let size = Terminal.size(output.raw) ?? input.flatMap({ Terminal.size($0) }) else { return }
        try? Terminal.setSize(master.raw, columns: size.columns, rows: size.rows)
    }

    private mutating func show() {
        if !outputOpen { shown = [] }
        // Whoever read it is gone. The program goes on, as it does when a window is closed.
        if !output.write(&shown) { (outputOpen, shown) = (false, []) }
    }

    /// One read; empty where nothing is there, nil at the end. EIO is how a terminal says that its other side is closed.
    private static func read(_ source: CInt) -> ArraySlice<UInt8>? {
        var chunk = [UInt8](repeating: 0, count: 32768)
        let count = CLinux.read(source, &chunk, chunk.count)
        if count < 0, errno == EINTR || errno == EAGAIN { return [] }
        return count > 0 ? chunk[..<count] : nil
    }

    /// Writes as much as there is room for; false where nothing can be written any more.
    private static func write(_ bytes: inout ArraySlice<UInt8>, to destination: CInt) -> Bool {
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { CLinux.write(destination, $0.baseAddress, $0.count) }
            if count > 0 {
                bytes = bytes.dropFirst(count)
            } else if errno == EAGAIN {
                return true
            } else if errno != EINTR {
                return false
            }
        }
        return true
    }
}
