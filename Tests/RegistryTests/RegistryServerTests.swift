import Images
import LinuxSystem
import OCI
import TestSupport
import Testing

@testable import Registry

extension OverHTTP {
    /// Pulls and pushes with Debian's docker-registry, and skopeo at the other end.
    @Suite struct RegistryServerTests {
        @Test func whatIsPushedIsPulledWithTheSameDigests() throws {
            let server = try RegistryServer()
            let (here, there) = (try Side(), try Side())
            let name = try here.image("\(server.name)/some/image:v1")
            let target = try here.client.push(name, from: here.store)
            let pulled = try there.client.pull(name, into: there.store, unpacking: false)
            #expect(pulled.digest == target.digest)
            #expect(pulled.isNewer)
            #expect(pulled.image.tags.map(\.description) == ["\(name)"])
            #expect(pulled.image.repositoryDigests.map(\.description) == ["\(name.repository)@\(target.digest)"])
            #expect(try here.store.resolve("\(name)").repositoryDigests == pulled.image.repositoryDigests)
            let again = try there.client.pull(name, into: there.store, unpacking: false)
            #expect(!again.isNewer)
        }

        @Test func skopeoAgrees() throws {
            let server = try RegistryServer()
            let side = try Side()
            let name = try side.image("\(server.name)/image:v1")
            let target = try side.client.push(name, from: side.store)
            try tool("skopeo", "copy", "-q", "--src-tls-verify=false", "docker://\(name)", "dir:\(side.folder)/dir")
            #expect(SHA256Digest.of(try Files.read("\(side.folder)/dir/manifest.json")) == target.digest)
            try tool(
                "skopeo",
                "copy",
                "-q",
                "--dest-tls-verify=false",
                "dir:\(side.folder)/dir",
                "docker://\(server.name)/back:v2"
            )
            let other = try Side()
            let back = try other.client.pull(
                try ImageReference("\(server.name)/back:v2"),
                into: other.store,
                unpacking: false
            )
            #expect(back.digest == target.digest)
        }

        @Test func whatIsThereIsNotSentAgain() throws {
            let server = try RegistryServer()
            let side = try Side()
            let name = try side.image("\(server.name)/one:v1")
            let first = Lines()
            try side.client.push(name, from: side.store) { first.add($0) }
            #expect((first.pushed, first.mounted, first.existing) == (2, 0, 0))
            let second = Lines()
            try side.client.push(name, from: side.store) { second.add($0) }
            #expect((second.pushed, second.mounted, second.existing) == (0, 0, 2))
            let third = Lines()
            let other = try ImageReference("\(server.name)/two:v1")
            try side.store.tag(try side.store.resolve("\(name)"), as: other)
            try side.client.push(other, from: side.store) { third.add($0) }
            #expect((third.pushed, third.mounted, third.existing) == (0, 2, 0))
        }

        @Test func aLargeBlobGoesInPieces() throws {
            let server = try RegistryServer()
            let (side, other) = (try Side { $0.chunkSize = 70_000 }, try Side())
            let name = try side.image("\(server.name)/pieces:v1")
            let target = try side.client.push(name, from: side.store)
            #expect(try other.client.pull(name, into: other.store, unpacking: false).digest == target.digest)
            #expect(server.log.contains("PATCH"))
        }

        @Test func byDigestAndByTagAreOne() throws {
            let server = try RegistryServer()
            let (side, other) = (try Side(), try Side())
            let name = try side.image("\(server.name)/image:v1")
            let target = try side.client.push(name, from: side.store)
            let exact = try ImageReference("\(name.repository)@\(target.digest)")
            let pulled = try other.client.pull(exact, into: other.store, unpacking: false)
            #expect(pulled.digest == target.digest)
            #expect(pulled.image.tags.isEmpty)
            #expect(try other.client.tags(of: name) == ["v1"])
            #expect(try other.client.manifest(name).digest == target.digest)
            #expect(try other.client.referrers(of: target.digest, in: name).isEmpty)
        }

        @Test func allTagsComePageByPage() throws {
            let server = try RegistryServer()
            let side = try Side()
            let name = try side.image("\(server.name)/tags:v0", layers: [10])
            let image = try side.store.resolve("\(name)")
            let tags = (0..<12).map { "v\($0)" }
            for tag in tags {
                if tag != "v0" { try side.store.tag(image, as: name.tagged(tag)) }
                try side.client.push(name.tagged(tag), from: side.store)
            }
            #expect(try Set(side.client.tags(of: name)) == Set(tags))
        }

        @Test func passwordsAreAskedForAndUsed() throws {
            let folder = try TemporaryFolder.make()
            defer { try? Files.removeTree(folder) }
            try tool("sh", "-c", "htpasswd -nbB anna secret > \(folder)/passwords")
            let server = try RegistryServer(passwords: "\(folder)/passwords")
            let anna = try Side(credential: .basic(user: "anna", password: "secret"))
            let name = try anna.image("\(server.name)/image:v1")
            let target = try anna.client.push(name, from: anna.store)
            let nobody = try Side()
            #expect(throws: EngineError.self) { try nobody.client.pull(name, into: nobody.store, unpacking: false) }
            let again = try Side(credential: .basic(user: "anna", password: "secret"))
            #expect(try again.client.pull(name, into: again.store, unpacking: false).digest == target.digest)
            let client = nobody.client
            func login(_ password: String) throws -> LoginAnswer {
                let credential = Credential.basic(user: "anna", password: password)
                return try RegistryLogin.verify(server.name, credential, client.configuration, client.options)
            }
            #expect(try login("secret") == .accepted(identityToken: nil))
            guard case .refused(let text) = try login("no") else {
                Issue.record("a wrong password was taken")
                return
            }
            #expect(text.contains("unauthorized"))
        }

        @Test func aLoopbackRegistryMayHaveACertificateOfItsOwn() throws {
            let folder = try TemporaryFolder.make()
            defer { try? Files.removeTree(folder) }
            let own = try Certificates.selfSigned("registry.test", in: folder)
            let server = try RegistryServer(certificate: own)
            let side = try Side()
            // On loopback certificates need not be right, as with docker.
            let name = try side.image("\(server.name)/image:v1")
            let target = try side.client.push(name, from: side.store)
            let other = try Side()
            #expect(try other.client.pull(name, into: other.store, unpacking: false).digest == target.digest)
        }

        @Test func twoPullsOfOneImageAtOnceFetchItOnce() throws {
            let server = try RegistryServer()
            let (side, other) = (try Side(), try Side())
            let name = try side.image("\(server.name)/image:v1", layers: [2_000_000])
            try side.client.push(name, from: side.store)
            let found = try Blocking.run { [client = other.client, store = other.store] in
                try await Session.during(client.session()) { session in
                    let found = try await ImageResolver(session: session, reference: name, platform: nil, store: store)
                        .resolve()
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        for _ in 0..<2 {
                            let blob = PartialBlob(found.image.layers[0], in: store)
                            let download = BlobDownload(session: session, sources: found.sources, blob: blob) { _ in }
                            group.addTask { try await download.run() }
                        }
                        try await group.waitForAll()
                    }
                    return found
                }
            }
            #expect(other.store.hasBlob(found.image.layers[0].digest, size: found.image.layers[0].size))
            let fetched = server.log.split(separator: "\n").filter { line in
                line.contains("GET") && line.contains(found.image.layers[0].digest.hex)
                    && line.contains("response completed")
            }
            #expect(fetched.count == 1)
        }
    }
}
