import CLinux
import LinuxSystem

/// Copies between the caller's terminal and the container's. The caller's is raw meanwhile, so that Ctrl-C is a byte for the
/// container, and as it was before on every way out.
struct TerminalRelay: ~Copyable {
    private let master: FileDescriptor
    private let input: CInt?
    private let output: CInt
    private let restored: Terminal.Settings?
    private var inputOpen: Bool

    /// - Parameter input: nil without `-i`.
    init(master: consuming FileDescriptor, input: CInt?, output: CInt) throws {
        self.master = master
        self.input = input
        self.output = output
        inputOpen = input != nil
        if let input, Terminal.isTerminal(input) { restored = try Terminal.makeRaw(input) } else { restored = nil }
    }

    deinit {
        if let input, let restored { try? Terminal.apply(restored, to: input) }
    }

    /// What to poll: the caller's input while it is open, and the container's output.
    var polled: [pollfd] {
        [
            pollfd(fd: inputOpen ? input ?? -1 : -1, events: Int16(POLLIN), revents: 0),
            pollfd(fd: master.raw, events: Int16(POLLIN), revents: 0),
        ]
    }

    /// Carries what has come. At the end of the caller's input the container's terminal gets its end-of-file character, as when
    /// somebody types Ctrl-D.
    mutating func carry(_ inputReady: Bool, _ outputReady: Bool) {
        if inputReady, let input { inputOpen = copy(from: input, to: master.raw) }
        if inputReady, !inputOpen { _ = send([4][...], to: master.raw) }
        if outputReady { _ = copy(from: master.raw, to: output) }
    }

    /// After the container's end: what it wrote last is still in the terminal's buffer.
    mutating func drain() {
        while copy(from: master.raw, to: output) {}
    }

    /// The container's terminal takes the caller's size.
    func resize() {
        guard let size = Terminal.size(output) ?? input.flatMap({ Terminal.size($0) }) else { return }
        try? Terminal.setSize(master.raw, columns: size.columns, rows: size.rows)
    }

    /// One read and its writes; false at the end. EIO is how a terminal says that its other side is closed.
    private func copy(from source: CInt, to destination: CInt) -> Bool {
        var chunk = [UInt8](repeating: 0, count: 32768)
        let count = read(source, &chunk, chunk.count)
        if count < 0 { return errno == EINTR || errno == EAGAIN }
        return count > 0 && send(chunk[..<count], to: destination)
    }

    private func send(_ bytes: ArraySlice<UInt8>, to destination: CInt) -> Bool {
        var rest = bytes
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(destination, $0.baseAddress, $0.count) }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN {
                var full = pollfd(fd: destination, events: Int16(POLLOUT), revents: 0)
                poll(&full, 1, -1)
            } else if errno != EINTR {
                return false
            }
        }
        return true
    }
}
