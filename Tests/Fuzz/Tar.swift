import Images
import OCI

extension Fuzz {
    /// Any archive is read to its end or refused. What was read is written again by our writer, and read from there it
    /// must be the same.
    static func tar(_ bytes: UnsafeRawBufferPointer) {
        var limits = TarLimits.default
        limits.total = 1 << 20
        let reader = TarReader(MemorySource(Array(bytes)), limits: limits)
        let copy = MemorySink()
        let writer = TarWriter(copy)
        var entries: [TarEntry] = []
        var contents: [[UInt8]] = []
        do {
            while let entry = try reader.next() {
                // Holes cost nothing in the archive and memory here.
                if entry.size > 1 << 20 { continue }
                let content = MemorySink()
                try reader.copyContent(to: content)
                if entry.kind == .file { requireEqual(Int64(content.bytes.count), entry.size, "a file has its size") }
                try writer.append(entry, content: MemorySource(content.bytes))
                entries.append(entry)
                contents.append(content.bytes)
            }
            try writer.finish()
        } catch { return }
        readAgain(copy.bytes, entries, contents)
    }

    private static func readAgain(_ bytes: [UInt8], _ entries: [TarEntry], _ contents: [[UInt8]]) {
        let reader = TarReader(MemorySource(bytes))
        do {
            for (entry, content) in zip(entries, contents) {
                guard let again = try reader.next() else { return require(false, "an entry is missing") }
                let read = MemorySink()
                try reader.copyContent(to: read)
                require(again.kind == entry.kind && again.path == entry.path, "name and kind survive")
                require(again.linkTarget == entry.linkTarget, "the link's target survives")
                require(
                    again.uid == entry.uid && again.gid == entry.gid && again.mode == entry.mode,
                    "owner and mode survive"
                )
                require(again.mtime == entry.mtime, "the time survives")
                if entry.kind == .file { requireEqual(read.bytes, content, "the content survives") }
            }
            require(try reader.next() == nil, "nothing is added")
        } catch { require(false, "our own archive is refused: \(error)") }
    }
}
