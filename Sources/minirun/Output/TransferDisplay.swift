import LinuxSystem
import OCI
import Registry

/// docker's lines for a pull or a push (moby, pkg/jsonmessage): on a terminal each layer keeps its line, which is written
/// anew; elsewhere every change but the counting is a line of its own.
final class TransferDisplay: @unchecked Sendable {
    private let lock = Lock()
    private let write: @Sendable (String) -> Void
    private let size: (@Sendable () -> (columns: Int, rows: Int))?
    private let clock: @Sendable () -> UInt64
    /// The layers' lines, from the top.
    private var lines: [Digest: Int] = [:]
    private var shown: [Digest: String] = [:]
    private var lastCount: [Digest: UInt64] = [:]
    /// When `count` was drawn last; nil where it was not.
    private var lastOther: UInt64?
    /// Layers that are here; said only where another has to come.
    private var present: [Digest] = []
    /// Layers that are being fetched, and whether they are unpacked before all of them is known to be right.
    private var fetching: [Digest: Bool] = [:]
    private let headings: Bool

    /// A layer's counting is drawn at most every so many nanoseconds.
    private static let interval: UInt64 = 100_000_000

    /// - Parameters:
    ///   - size: of the terminal; nil where there is none.
    ///   - headings: whether a push says where it goes.
    init(
        write: @escaping @Sendable (String) -> Void,
        terminalSize: (@Sendable () -> (columns: Int, rows: Int))?,
        headings: Bool = true,
        clock: @escaping @Sendable () -> UInt64 = { Clock.monotonic }
    ) {
        self.write = write
        size = terminalSize
        self.headings = headings
        self.clock = clock
    }

    /// On standard output or standard error.
    convenience init(_ descriptor: Int32, headings: Bool = true) {
        let size: @Sendable () -> (columns: Int, rows: Int) = { Terminal.size(descriptor) ?? (80, 24) }
        let stream: StandardStream = descriptor == 1 ? .output : .error
        let write: @Sendable (String) -> Void = { Console.draw($0, on: stream) }
        self.init(write: write, terminalSize: Terminal.isTerminal(descriptor) ? size : nil, headings: headings)
    }

    func handle(_ event: PullEvent) { lock.locked { apply(event) } }

    private func apply(_ event: PullEvent) {
        switch event {
        case .pulling(let reference, let repository): write("\(reference): Pulling from \(repository)\n")
        case .layer(let layer, _):
            for layer in present { show(layer, "Already exists") }
            present = []
            fetching[layer] = false
            show(layer, "Pulling fs layer")
        case .exists(let layer):
            // Of an image that is up to date docker shows no layer.
            if fetching.isEmpty { present.append(layer) } else { show(layer, "Already exists") }
        case .waiting(let layer): show(layer, "Waiting", onlyOnTerminal: true)
        case .downloading(let layer, let bytes, let size): count(layer, "Downloading", bytes, size)
        case .verifying(let layer): show(layer, "Verifying Checksum")
        case .downloaded(let layer):
            show(layer, "Download complete")
            if fetching.removeValue(forKey: layer) == true { show(layer, "Pull complete") }
            fetching[layer] = nil
        case .extracting(let layer, let bytes, let size): count(layer, "Extracting", bytes, size)
        case .complete(let layer):
            if fetching[layer] == nil { show(layer, "Pull complete") } else { fetching[layer] = true }
        }
    }

    func handle(_ event: PushEvent) { lock.locked { apply(event) } }

    private func apply(_ event: PushEvent) {
        switch event {
        case .pushing(let repository): if headings { write("The push refers to repository [\(repository)]\n") }
        case .preparing(let layer): show(layer, "Preparing")
        case .waiting(let layer): show(layer, "Waiting")
        case .exists(let layer): show(layer, "Layer already exists")
        case .uploading(let layer, let bytes, let size): count(layer, "Pushing", bytes, size)
        case .pushed(let layer): show(layer, "Pushed")
        case .mounted(let layer, let source): show(layer, "Mounted from \(Console.visible(source))")
        case .skipped(let layer): show(layer, "Skipped foreign layer")
        case .note(let text): write("\n\(Console.visible(text))\n")
        case .tagged(let tag, let digest, let size): write("\(tag): digest: \(digest) size: \(size)\n")
        }
    }

    /// Counts what is no layer's, in a line of its own on a terminal.
    func count(_ verb: String, _ bytes: Int64, _ total: Int64) {
        lock.locked {
            guard let size else { return }
            let now = clock()
            if let lastOther, now < lastOther + TransferDisplay.interval, bytes < total { return }
            lastOther = now
            write("\u{1B}[2K\r\(verb) \(TransferDisplay.progress(bytes, total, columns: size().columns))\r")
        }
    }

    /// Takes that line away.
    func endCount() {
        lock.locked {
            if lastOther != nil { write("\u{1B}[2K\r") }
            lastOther = nil
        }
    }

    /// Lines after all of a layer's.
    func say(_ text: String) { lock.locked { write(text) } }

    private func show(_ layer: Digest, _ text: String, onlyOnTerminal: Bool = false) {
        guard shown[layer] != text else { return }
        guard size != nil else {
            shown[layer] = text
            if !onlyOnTerminal { write("\(layer.short): \(text)\n") }
            return
        }
        draw(layer, text)
    }

    private func count(_ layer: Digest, _ verb: String, _ bytes: Int64, _ total: Int64) {
        guard let size else { return }
        // An unpacked beginning is no reason to hide how much has come.
        if verb == "Extracting", shown[layer]?.hasPrefix("Download") ?? false, shown[layer] != "Download complete" {
            return
        }
        let now = clock()
        if let last = lastCount[layer], now < last + TransferDisplay.interval, bytes < total { return }
        lastCount[layer] = now
        draw(layer, "\(verb) \(TransferDisplay.progress(bytes, total, columns: size().columns))")
    }

    private func draw(_ layer: Digest, _ text: String) {
        shown[layer] = text
        var rows = 0
        if let line = lines[layer] {
            rows = lines.count - line
        } else {
            lines[layer] = lines.count
            write("\n")
            rows = 1
        }
        // A line that has left the terminal cannot be reached.
        guard rows < size?().rows ?? 24 else { return }
        write("\u{1B}[\(rows)A\u{1B}[2K\r\(layer.short): \(text)\r\u{1B}[\(rows)B")
    }

    /// `[=====>   ]  10.5MB/41.5MB`: a bar of 50 where there is room for it.
    static func progress(_ bytes: Int64, _ total: Int64, columns: Int) -> String {
        func padded(_ bytes: Int64) -> String {
            let text = HumanReadable.size(bytes)
            return String(repeating: " ", count: max(0, 8 - text.count)) + text
        }
        if total <= 0 { return bytes <= 0 ? "" : padded(bytes) }
        let done = min(50, max(0, Int(Double(bytes) / Double(total) * 100) / 2))
        let bar =
            "[\(String(repeating: "=", count: done))>\(String(repeating: " ", count: 50 - done))] "
        let numbers = bytes > total ? padded(bytes) : "\(padded(bytes))/\(HumanReadable.size(total))"
        return (columns > 110 ? bar : "") + numbers
    }
}
