import CLinux
import LinuxSystem
import Testing

@testable import Images

@Suite struct TreeComparisonTests {
    /// Two files of four terabytes with so much written at these places.
    private func same(_ one: [Int64: [UInt8]], _ other: [Int64: [UInt8]]) throws -> Bool {
        func file(_ content: [Int64: [UInt8]]) throws -> FileDescriptor {
            let folder = try FileDescriptor.open(Process.environment("TMPDIR") ?? "/tmp", O_PATH | O_DIRECTORY)
            let file = try FileDescriptor.unnamed(in: folder.raw)
            try retrying("growing a file") { ftruncate(file.raw, 4 << 40) }
            for (place, bytes) in content { try file.write(bytes, at: place) }
            return file
        }
        return try TreeComparison.haveSameContent(try file(one), try file(other))
    }

    /// Nobody would wait for the end of this where holes were read.
    @Test func holesAreNotRead() throws {
        let (start, end): (Int64, Int64) = (5000, (4 << 40) - 3)
        #expect(try same([:], [:]))
        #expect(try same([start: [1, 2], end: [3]], [end: [3], start: [1, 2]]))
        #expect(try same([start: [0, 0]], [:]))
        #expect(try !same([start: [0, 1]], [:]))
        #expect(try !same([:], [end: [7]]))
        #expect(try !same([start: [1], end: [7]], [start: [1], end: [8]]))
    }
}
