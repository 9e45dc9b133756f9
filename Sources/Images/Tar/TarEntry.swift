import LinuxSystem

/// One member of a tar archive: what its headers say, in every dialect's own words translated to these.
package struct TarEntry: Sendable {
    package enum Kind: Sendable { case file, directory, symlink, hardlink, characterDevice, blockDevice, fifo }

    /// A stretch of a sparse file that holds data; everything between stretches is zero.
    package struct Segment: Equatable, Sendable {
        package var offset: Int64
        package var length: Int64
        package init(offset: Int64, length: Int64) {
            self.offset = offset
            self.length = length
        }
    }

    /// The name as the archive has it, without a NUL: bytes, not always UTF-8, perhaps with "./", "../" or a last "/".
    package var path: [UInt8]
    package var kind: Kind
    /// Permission bits with setuid, setgid and sticky.
    package var mode: UInt32 = 0o644
    package var uid: UInt32 = 0
    package var gid: UInt32 = 0
    /// The content's size in bytes; of a sparse file the size with its holes.
    package var size: Int64 = 0
    /// Seconds since 1970, perhaps negative, and nanoseconds from there forwards (0 ..< 1_000_000_000).
    package var mtime: Int64 = 0
    package var mtimeNanoseconds: Int32 = 0
    /// Of a symlink or hardlink.
    package var linkTarget: [UInt8] = []
    /// Of a device node.
    package var major: UInt32 = 0
    package var minor: UInt32 = 0
    package var xattrs: [(name: String, value: [UInt8])] = []
    /// Where the data of a sparse file lies, in order and without overlap; nil for an ordinary file.
    package var sparse: [Segment]?

    package init(path: [UInt8], kind: Kind) {
        self.path = path
        self.kind = kind
        if kind == .directory { mode = 0o755 }
    }

    package init(path: String, kind: Kind) { self.init(path: path.rawBytes, kind: kind) }

    /// The path as text for messages.
    package var name: String { printable(path) }
}

/// A name that somebody else chose, as text for a message: what is not UTF-8, and what would steer a terminal or begin a
/// new line, is replaced.
func printable(_ name: some Collection<UInt8>) -> String {
    if name.allSatisfy({ (0x20..<0x7f).contains($0) }) { return String(decoding: name, as: UTF8.self) }
    var text = String.UnicodeScalarView()
    for scalar in String(decoding: name, as: UTF8.self).unicodeScalars {
        text.append(scalar.properties.generalCategory == .control ? "\u{fffd}" : scalar)
    }
    return String(text)
}
