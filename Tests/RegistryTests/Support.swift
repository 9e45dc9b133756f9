import LinuxSystem
import Registry
import Testing

/// A generator whose numbers are the same each time (SplitMix64).
struct Seeded: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// Up to 24 of the pieces, one after another.
    mutating func text(of pieces: [String]) -> String {
        (0..<Int.random(in: 0...24, using: &self)).map { _ in pieces[Int.random(in: 0..<pieces.count, using: &self)] }
            .joined()
    }

    /// The text with some bytes changed, taken out, doubled or cut off.
    mutating func damaged(_ text: String) -> [UInt8] {
        var bytes = Array(text.utf8)
        for _ in 0..<Int.random(in: 1...6, using: &self) where !bytes.isEmpty {
            let at = Int.random(in: 0..<bytes.count, using: &self)
            switch Int.random(in: 0..<5, using: &self) {
            case 0: bytes[at] = UInt8.random(in: 0...255, using: &self)
            case 1: bytes.remove(at: at)
            case 2: bytes.insert(bytes[Int.random(in: 0..<bytes.count, using: &self)], at: at)
            case 3: bytes.removeLast(Int.random(in: 0...min(8, bytes.count), using: &self))
            default:
                let end = min(bytes.count, at + Int.random(in: 1...16, using: &self))
                bytes += bytes[at..<end]
            }
        }
        return bytes
    }
}

/// A folder that is removed with its content when its owner goes.
final class Folder {
    let path: String

    init() throws {
        path = "/tmp/minirun-registry-test.\(Process.effectiveUser).\(UInt64.random(in: 0...UInt64.max))"
        try Files.makeDirectories(path, mode: 0o755)
    }

    deinit { try? Files.removeTree(path) }

    /// Writes a file and the folders above it; the result is its path.
    @discardableResult
    func write(_ name: String, _ text: String, mode: UInt32 = 0o644) throws -> String {
        let file = "\(path)/\(name)"
        try Files.makeDirectories(Files.parent(of: file))
        try Files.write(file, Array(text.utf8), mode: mode)
        return file
    }

    func read(_ name: String) throws -> String { try Files.readText("\(path)/\(name)") }
}
