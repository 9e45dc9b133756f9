import CLinux
import LinuxSystem
import OCI
import Testing

@testable import Images

@Suite struct StoreRemovalTests {
    let fixture: StoreFixture
    let base: StoredImage
    let app: StoredImage

    init() throws {
        fixture = try StoreFixture()
        base = try fixture.image([["a": "1"]], names: ["base"])
        app = try fixture.image([["a": "1"], ["b": "2"]], names: ["app"])
    }

    private func remove(_ text: String, force: Bool = false, _ uses: [ContainerUse] = []) throws -> [String] {
        try fixture.store.remove(text, force: force) { _ in uses }.map(\.description)
    }

    @Test func theLastNameTakesTheImageAndItsOwnLayers() throws {
        #expect(try remove("app") == ["Untagged: app:latest", "Deleted: \(app.id)", "Deleted: \(app.chainIDs[1])"])
        #expect(try fixture.names() == ["base:latest"])
        #expect(
            try remove(base.id.short) == [
                "Untagged: base:latest", "Deleted: \(base.id)", "Deleted: \(base.chainIDs[0])",
            ]
        )
        #expect(try fixture.names() == [])
    }

    @Test func oneNameOfSeveralIsTakenAway() throws {
        try fixture.store.tag(app, as: ImageReference("app:2"))
        try fixture.store.tag(app, as: ImageReference("other"))
        #expect(
            message { _ = try remove(app.id.short) }
                == "conflict: unable to delete \(app.id.short) (must be forced) - image is referenced in multiple repositories"
        )
        #expect(try remove("app:2", [ContainerUse(id: "c", isRunning: true)]) == ["Untagged: app:2"])
        #expect(
            try remove(app.id.hex, force: true).prefix(3) == [
                "Untagged: app:latest", "Untagged: other:latest", "Deleted: \(app.id)",
            ]
        )
        #expect(try fixture.names() == ["base:latest"])
    }

    @Test func containersAreInTheWay() throws {
        let id = String(repeating: "c", count: 64)
        let stopped = [ContainerUse(id: id, isRunning: false)]
        let running = [ContainerUse(id: id, isRunning: true)]
        let before = try fixture.state()
        #expect(
            message { _ = try remove("app", stopped) }
                == "conflict: unable to remove repository reference \"app\" (must force) - "
                + "container cccccccccccc is using its referenced image \(app.id.short)"
        )
        #expect(
            message { _ = try remove(app.id.short, stopped) }
                == "conflict: unable to delete \(app.id.short) (must be forced) - image is being used by stopped container cccccccccccc"
        )
        #expect(
            message { _ = try remove(app.id.short, force: true, running) }
                == "conflict: unable to delete \(app.id.short) (cannot be forced) - image is being used by running container cccccccccccc"
        )
        #expect(try fixture.state() == before)
        // By force a running container's image loses its name and stays.
        #expect(try remove("app", force: true, running) == ["Untagged: app:latest"])
        #expect(try fixture.names() == ["<none>", "base:latest"])
        // A stopped one's goes; its layers do not, because it stands on them.
        #expect(try remove(app.id.hex, force: true, stopped) == ["Deleted: \(app.id)"])
        #expect(try fixture.names() == ["base:latest"])
        _ = try fixture.collect(CollectionRoots(manifests: [app.manifestDigest]))
        #expect(fixture.store.hasBlob(app.manifest.layers[1].digest))
    }

    @Test func digestsGoWithTheLastTagOfTheirRepository() throws {
        try fixture.store.commit(
            target: app.target,
            references: [ImageReference("app@\(app.manifestDigest)"), ImageReference("app:2")]
        )
        #expect(try remove("app:2") == ["Untagged: app:2"])
        #expect(
            try remove("app").prefix(3) == [
                "Untagged: app:latest", "Untagged: app@\(app.manifestDigest)", "Deleted: \(app.id)",
            ]
        )
    }

    @Test func whatIsNotThereIsSaid() {
        #expect(message { _ = try remove("nothing") } == "No such image: nothing:latest")
    }

    @Test func aDamagedImageCanBeRemoved() throws {
        try Files.write(fixture.store.blobPath(app.manifestDigest), Array("{}".utf8))
        let before = try fixture.blobs()
        #expect(message { _ = try fixture.collect() }.hasSuffix("is damaged, so nothing was collected"))
        #expect(try fixture.blobs() == before)
        #expect(try fixture.store.images().map(\.id) == [base.id])
        #expect(try remove("app") == ["Untagged: app:latest"])
        _ = try fixture.collect()
        #expect(try fixture.names() == ["base:latest"] && fixture.blobs().count == 3)
    }

    // MARK: Collection

    @Test func aCollectionKeepsWhatIsNamedAndNothingElse() throws {
        #expect(try fixture.collect() == CollectionSummary())
        _ = try remove("app")
        let summary = try fixture.collect()
        // Its manifest, its configuration and its second layer.
        #expect(summary.blobs == 3 && summary.bytes > 0)
        #expect(try fixture.blobs().count == 3)
        #expect(try fixture.store.openBlob(base.manifest.layers[0]).readAll().count > 0)
    }

    @Test func rootsAreKeptWithWhatTheyNeed() throws {
        let loose = try fixture.store.ingest(Array("loose".utf8), mediaType: .layer)
        let kept = try fixture.blobs()
        _ = try remove("app")
        _ = try fixture.collect(CollectionRoots(manifests: [app.manifestDigest], blobs: [loose.digest]))
        #expect(try fixture.blobs() == kept)
        _ = try fixture.collect(CollectionRoots(manifests: [app.manifestDigest]))
        #expect(try fixture.blobs() == kept.filter { $0 != loose.digest.hex })
    }

    @Test func aLeaseKeepsEverything() throws {
        let lease = try fixture.store.lease()
        try lease.during {
            let other = try fixture.store.lease()
            other.during { #expect(message { _ = try fixture.collect() } == "somebody has a lease") }
        }
        _ = consume lease
        #expect(message { _ = try fixture.collect() } == "no error")
    }

    @Test func whatKilledProcessesLeftGoes() throws {
        try Files.makeDirectories(fixture.store.path("tmp/layer-x/fs/deep"))
        try Files.write(fixture.store.path("tmp/blob.1.2"), [1])
        try Files.write(fixture.store.path("images/index.json.77.tmp"), [1])
        _ = try fixture.collect()
        #expect(try fixture.temporaries() == [])
        #expect(try Files.list(fixture.store.path("images")).sorted() == ["blobs", "index.json", "oci-layout"])
    }
}
