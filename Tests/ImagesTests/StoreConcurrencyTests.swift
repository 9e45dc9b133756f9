import CLinux
import LinuxSystem
import OCI
import Testing

@testable import Images

/// Locks are on open files, so that threads stand in for processes.
@Suite struct StoreConcurrencyTests {
    private func atOnce(_ count: Int, _ body: @Sendable @escaping (Int) throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<count { group.addTask { try body(number) } }
            try await group.waitForAll()
        }
    }

    @Test func manyCreateTheStoreAndTagInIt() async throws {
        let scratch = try Scratch()
        let root = scratch.file("deep/store")
        let parts = try ImageParts([["a": "1"]])
        try await atOnce(16) { number in
            let store = try ImageStore(root: root)
            for blob in parts.blobs.values { try store.ingest(MemorySource(blob)) }
            _ = try store.commit(
                manifest: parts.manifest,
                references: [ImageReference("n\(number)"), ImageReference("same")]
            )
        }
        let image = try ImageStore(root: root).resolve("same")
        #expect(image.references.count == 17 && image.id == parts.id)
        #expect(try Files.list(root + "/tmp") == [])
    }

    @Test func manyLoadTheSameArchiveAndRemoveIt() async throws {
        let fixture = try StoreFixture()
        let archive = try ImageParts.tar(ImageParts([["a": "1"], ["b": "2"]]).dockerMembers(tags: ["x"]))
        let store = fixture.store
        try await atOnce(16) { number in
            for _ in 0..<4 {
                if number % 4 == 3 {
                    _ = try? store.remove("x") { _ in [] }
                    if let lease = try store.exclusive() { try store.collect(CollectionRoots(), holding: lease) }
                } else {
                    let lease = try store.lease()
                    try lease.during {
                        let loaded = try store.load(archive)
                        #expect(try loaded[0].image.open(layer: loaded[0].image.manifest.layers[1]).readAll().count > 0)
                    }
                }
            }
        }
        #expect(try store.load(archive)[0].image.references.map(\.familiar) == ["x:latest"])
        #expect(try fixture.blobs().count == 4)
    }

    @Test func aLayerIsUnpackedByOneOfMany() async throws {
        let fixture = try StoreFixture()
        let image = try fixture.image([["a": String(repeating: "x", count: 1 << 20)], ["b": "2"]], names: ["x"])
        let store = fixture.store
        let counter = Counter(fixture.scratch.file("count"))
        try await atOnce(12) { _ in
            let stack = try store.unpackedLayers(of: image) { event in
                if case .unpacked = event { counter.add() }
            }
            #expect(try Files.readText(stack.directories[0] + "/b") == "2")
        }
        #expect(counter.value == 2)
    }

    /// Counts by the length of a file.
    private final class Counter: Sendable {
        private let path: String
        init(_ path: String) { self.path = path }
        func add() {
            try? FileDescriptor.open(path, O_WRONLY | O_CREAT | O_APPEND).write([1] as [UInt8])
        }
        var value: Int { (try? Files.read(path).count) ?? 0 }
    }
}
