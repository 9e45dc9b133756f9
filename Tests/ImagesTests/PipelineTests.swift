import CLinux
import LinuxSystem
import OCI
import Testing

@testable import Images

@Suite struct PipelineTests {
    /// 6 MiB: more than all buffers together hold.
    static let tar: [UInt8] = (0..<(6 << 20)).map { UInt8(truncatingIfNeeded: ($0 &* $0) >> 9 ^ $0 >> 12) }
    static let packed: [UInt8] = (try? ImageParts.gzip(tar)) ?? []

    /// Fails after some bytes, or goes on for ever.
    final class Trouble: ByteSource {
        let end: Int
        let isEndless: Bool
        var position = 0
        init(after count: Int, isEndless: Bool = false) { (end, self.isEndless) = (count, isEndless) }

        func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
            if isEndless {
                buffer.initializeMemory(as: UInt8.self, repeating: 7)
                return buffer.count
            }
            guard position < end else { throw EngineError(.failed, "the line is cut") }
            let count = min(end - position, buffer.count, 100_000)
            buffer.copyBytes(from: PipelineTests.packed[position..<position + count])
            position += count
            return count
        }
    }

    private func read(_ blob: any ByteSource, diffID: Digest?) throws -> [UInt8] {
        var bytes: [UInt8] = []
        _ = try LayerPipeline.run(blob, diffID: diffID) { tar in
            while case let piece = try tar.next(), !piece.isEmpty { bytes.append(contentsOf: piece) }
        }
        return bytes
    }

    private static func threads() throws -> Int { try Files.list("/proc/self/task").count }

    @Test func allBytesComeThrough() throws {
        let digest = SHA256Digest.of(Self.tar)
        #expect(try read(MemorySource(Self.packed), diffID: digest) == Self.tar)
        let (_, facts) = try LayerPipeline.run(MemorySource(Self.packed), diffID: nil) { tar in
            while try !tar.next().isEmpty {}
        }
        #expect(facts.digest == digest && facts.size == Int64(Self.tar.count) && facts.format == .gzip)
        #expect(try read(MemorySource([]), diffID: SHA256Digest.of([])) == [])
    }

    @Test func theBlobsErrorIsTheOneReported() {
        let digest = SHA256Digest.of(Self.tar)
        for count in [0, 1, 70_000, Self.packed.count - 1] {
            #expect(message { _ = try read(Trouble(after: count), diffID: digest) }.contains("the line is cut"))
        }
    }

    @Test func aTruncatedBlobIsRefused() {
        for count in [11, Self.packed.count / 2, Self.packed.count - 1] {
            let text = message { _ = try read(MemorySource(Array(Self.packed[..<count])), diffID: nil) }
            #expect(text.contains("ends too early"))
        }
    }

    @Test func eachDigestIsChecked() throws {
        let tar = SHA256Digest.of(Self.tar)
        let blob = SHA256Digest.of(Self.packed)
        let wrong = SHA256Digest.of([1])
        func verified(_ digest: Digest) -> VerifiedSource {
            VerifiedSource(MemorySource(Self.packed), digest: digest, size: Int64(Self.packed.count))
        }
        #expect(try read(verified(blob), diffID: tar) == Self.tar)
        #expect(
            message { _ = try read(verified(blob), diffID: wrong) }.contains("layer \(wrong) has the digest \(tar)")
        )
        #expect(message { _ = try read(verified(wrong), diffID: tar) }.contains("blob \(wrong) has the digest \(blob)"))
    }

    @Test func aReaderThatGivesUpEndsAllOfIt() throws {
        for isEndless in [true, false] {
            let source: any ByteSource = isEndless ? Trouble(after: 0, isEndless: true) : MemorySource(Self.packed)
            let text = message {
                _ = try LayerPipeline.run(source, diffID: nil) { tar in
                    _ = try tar.next()
                    throw EngineError(.failed, "the disk is full")
                }
            }
            #expect(text.contains("the disk is full"))
        }
    }

    @Test func noThreadStays() throws {
        // Other tests have threads of their own, and fewer than these would be.
        let before = try Self.threads()
        for _ in 0..<100 { _ = try? read(Trouble(after: 0), diffID: nil) }
        for _ in 0..<100 {
            _ = try? LayerPipeline.run(Trouble(after: 0, isEndless: true), diffID: nil) { _ in
                throw EngineError(.failed, "enough")
            }
        }
        #expect(try Self.threads() < before + 100)
    }
}
