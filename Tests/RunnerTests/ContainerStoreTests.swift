import CLinux
import Images
import LinuxSystem
import OCI
import Testing

@testable import Runner

/// Containers on the disk, without running any. Locks are on open files, so that threads stand in for commands.
@Suite struct ContainerStoreTests {
    private let folder: String
    private let store: ContainerStore

    init() throws {
        let name = String(try Random.number(), radix: 16)
        folder = "\(LinuxSystem.Process.environment("TMPDIR") ?? "/tmp")/minirun-test-\(name)"
        try Files.makeDirectories("\(folder)/root")
        try Files.makeDirectories("\(folder)/state")
        store = ContainerStore(root: "\(folder)/root", state: "\(folder)/state")
    }

    private func clean() { try? Files.removeTree(folder) }

    private func record(_ number: Int, _ status: ContainerRecord.Status) -> ContainerRecord {
        let digits = String(number, radix: 16)
        let id = String(repeating: "0", count: 64 - digits.count) + digits
        var record = ContainerRecord(
            id: id,
            name: "c-\(number)",
            created: UInt64(number),
            imageName: "x",
            imageID: "",
            layers: [],
            imageConfiguration: ContainerConfiguration(),
            options: ContainerOptions()
        )
        record.state.status = status
        return record
    }

    private func add(_ record: ContainerRecord) throws {
        try Files.makeDirectories(store.folder(record.id))
        try store.create(record)
        try store.writeState(record)
    }

    /// Whoever looks whether a container runs holds up nobody who removes it.
    @Test func aRemovalBesideOnesWhoLook() async throws {
        defer { clean() }
        let records = (0..<400).map { record($0, .exited) }
        for record in records { try add(record) }
        let store = store
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<3 {
                group.addTask {
                    for _ in 0..<40 { for record in records { _ = store.isActive(record.id) } }
                }
            }
            // And one that takes files in STATE/active for orphans'.
            group.addTask { for _ in 0..<200 { try store.recover(forget: { _ in }, failed: { _, _ in }) } }
            group.addTask { for record in records { try store.remove(record) } }
            try await group.waitForAll()
        }
        #expect(try store.all().isEmpty)
        #expect(try Files.list("\(folder)/state/active").isEmpty)
    }

    static let damages: [(name: String, bytes: [UInt8]?)] = [
        ("empty", []), ("cut", Array("{".utf8)), ("zeros", [UInt8](repeating: 0, count: 700)),
        ("another version", Array(#"{"version": 3, "id": "x"}"#.utf8)), ("a folder", nil),
    ]

    /// After a boot, and for an engine that was killed: what is there and says nothing is not what is not there.
    @Test(
        arguments: damages,
        [("container.json", true), ("container.json", false), ("state.json", true), ("state.json", false)]
    )
    func anUnreadableRecordCostsNoContainer(
        damage: (name: String, bytes: [UInt8]?),
        of file: (name: String, afterBoot: Bool)
    ) throws {
        let afterBoot = file.afterBoot
        defer { clean() }
        let (damaged, absent, whole) = (record(1, .running), record(2, .running), record(3, .running))
        for record in [damaged, absent, whole] {
            try add(record)
            try Files.createEmpty("\(store.folder(record.id))/precious")
            if !afterBoot {
                try Files.makeDirectories("\(folder)/state/active")
                try Files.createEmpty("\(folder)/state/active/\(record.id)")
            }
        }
        if !afterBoot { try Files.createEmpty("\(folder)/state/boot") }
        let path = "\(store.folder(damaged.id))/\(file.name)"
        try Files.remove(path)
        if let bytes = damage.bytes { try Files.write(path, bytes) } else { try Files.makeDirectories(path) }
        for name in ["container.json", "state.json"] { try Files.remove("\(store.folder(absent.id))/\(name)") }
        var failed: [String] = []
        try store.recover(forget: { _ in }, failed: { id, _ in failed.append(id) })
        #expect(FileStatus.exists("\(store.folder(damaged.id))/precious"))
        #expect(!FileStatus.exists(store.folder(absent.id)))
        #expect(try store.record(whole.id)?.status == .exited)
        #expect(failed == [damaged.id])
        #expect(throws: EngineError.self) { try store.record(damaged.id) }
        // A removal of what no container needs does not go on; a list does.
        #expect(throws: EngineError.self) { try store.all() }
        var unreadable: [String] = []
        let readable = try store.all { id, _ in unreadable.append(id) }
        #expect(readable.map(\.id) == [whole.id] && unreadable == [damaged.id])
    }

    /// Texts that would lead elsewhere.
    static let strange = ["../../x", "/etc", "..", "", String(repeating: "0", count: 63) + "/", "0\u{0}"]

    @Test(arguments: strange) func aRecordLeadsNowhereElse(text: String) throws {
        defer { clean() }
        let own = record(1, .exited)
        try add(own)
        let written = try Files.read("\(store.folder(own.id))/state.json")
        for (name, key, value) in [
            ("container.json", "name", text.isEmpty ? "/" : text), ("state.json", "id", text),
            ("container.json", "id", text),
        ] {
            let file = "\(store.folder(own.id))/\(name)"
            let members = try JSON.parse(Files.read(file)).object ?? []
            let changed = JSON.object(members.map { $0.key == key ? (key: key, value: .string(value)) : $0 })
            try Files.write(file, changed.bytes())
            #expect(throws: EngineError.self) { try store.record(own.id) }
            // Each alone.
            try Files.write("\(store.folder(own.id))/state.json", written)
        }
        // A name's link.
        try Files.makeDirectories("\(folder)/root/containers/names")
        try Files.makeDirectories("\(folder)/state/names")
        for names in ["\(folder)/root/containers/names", "\(folder)/state/names"] where !text.isEmpty {
            try? Link.create("\(names)/odd", to: text)
        }
        #expect(try store.record(text) == nil)
        #expect(throws: EngineError.self) { try store.find("odd") }
    }

    /// On a full disk the record of a container that has lost its engine cannot be written: it is no running one all the same.
    @Test func whatHasNoEngineDoesNotRun() throws {
        defer { clean() }
        let orphan = record(1, .running)
        try add(orphan)
        let listed = try #require(try store.all().first)
        #expect(
            listed.status == .exited && listed.state.exitCode == 137 && listed.state.error == "the engine was killed"
        )
        #expect(try store.find(orphan.id).status == .exited)
        // Nothing was written for that, and another STATE's is not judged.
        #expect(try store.record(orphan.id)?.status == .running)
        let living = record(2, .running)
        let claim = try store.claim(id: living.id, name: "two", removedAtEnd: false)
        try add(living)
        #expect(try store.find(living.id).status == .running)
        let other = ContainerStore(root: "\(folder)/root", state: "\(folder)/other")
        #expect(try other.all().allSatisfy { $0.status == .running })
        #expect(claim.id == living.id)
    }

    /// A repair that could not do its work is none.
    @Test func aRepairThatDidNothingSaysSo() throws {
        defer { clean() }
        let orphan = record(1, .running)
        try add(orphan)
        try Files.makeDirectories("\(folder)/state/active")
        try Files.write("\(folder)/state/active/\(orphan.id)", Array("one".utf8))
        var attempts = 0
        let idle = try #require(try store.problems { attempts += 1 }.first { $0.message == "its engine is gone" })
        #expect(throws: EngineError.self) { try idle.repair?() }
        #expect(attempts == 1)
        let store = store
        let right = try #require(
            try store.problems { try store.recover(forget: { _ in }, failed: { _, _ in }) }
                .first { $0.message == "its engine is gone" }
        )
        try right.repair?()
        #expect(try store.record(orphan.id)?.status == .exited)
    }

    /// What lives in another STATE is not taken for dead.
    @Test func anotherStateIsRefusedWhileItIsInUse() throws {
        defer { clean() }
        try store.recover(forget: { _ in }, failed: { _, _ in })
        try Files.makeDirectories("\(folder)/other")
        let other = ContainerStore(root: "\(folder)/root", state: "\(folder)/other")
        let own = record(1, .running)
        do {
            let claim = try store.claim(id: own.id, name: "one", removedAtEnd: false)
            try add(own)
            for _ in 0..<2 {
                let error = #expect(throws: EngineError.self) {
                    try other.recover(forget: { _ in }, failed: { _, _ in })
                }
                #expect(error?.message.contains("\(folder)/state") ?? false)
            }
            #expect(throws: EngineError.self) { try other.checkState() }
            #expect(throws: EngineError.self) {
                _ = try other.claim(id: record(2, .created).id, name: "two", removedAtEnd: true)
            }
            #expect(try store.record(own.id)?.status == .running)
            try store.recover(forget: { _ in }, failed: { _, _ in })
            try store.checkState()
            #expect(claim.id == own.id)
        }
        // Its engine is gone: now the other may have the ROOT, and finds what was left.
        try other.recover(forget: { _ in }, failed: { _, _ in })
        #expect(try other.record(own.id)?.status == .exited)
        try store.recover(forget: { _ in }, failed: { _, _ in })
    }
}
