import Images
import LinuxSystem
import OCI
import TestSupport
import Testing

@testable import Registry

extension OverHTTP {
    /// Tokens for Debian's docker-registry, which checks them.
    @Suite struct TokenTests {
        @Test func aPasswordGetsTokensForWhatIsDone() throws {
            let server = try TokenRegistry()
            let side = try Side(credential: TokenRegistry.anna)
            let name = try side.image("\(server.registry.name)/team/app:v1")
            let target = try side.client.push(name, from: side.store)
            #expect(try Side(credential: TokenRegistry.anna).pull(name).digest == target.digest)
            let paths = try server.questions.map(\.path)
            let scope = "/token?service=here&scope=repository%3Ateam%2Fapp%3Apull"
            #expect(
                paths.contains("\(scope)%2Cpush&account=anna") && paths.contains("\(scope)&account=anna"),
                "\(paths)"
            )
        }

        @Test func whoIsNotKnownMayPullWhatIsPublic() throws {
            let server = try TokenRegistry()
            let anna = try Side(credential: TokenRegistry.anna)
            let nobody = try Side()
            for path in ["public/app:v1", "private/app:v1"] {
                let name = try anna.image("\(server.registry.name)/\(path)", layers: [10])
                let target = try anna.client.push(name, from: anna.store)
                if path.hasPrefix("public") {
                    #expect(try nobody.pull(name).digest == target.digest)
                    continue
                }
                let text =
                    "\(server.registry.name)/private/app, repository does not exist or may require 'docker login': "
                    + "denied: requested access to the resource is denied"
                #expect(
                    nobody.refusal(name).text.hasPrefix("pull access denied for \(text)"),
                    "\(nobody.refusal(name))"
                )
                let own = try nobody.image("\(name)", layers: [10])
                #expect(nobody.pushRefusal(own).text.hasPrefix("denied: requested access to the resource is denied"))
            }
            let wrong = try Side(credential: .basic(user: "anna", password: "no"))
            #expect(
                wrong.refusal(try server.image("private/app:v1")).text == "unauthorized: incorrect username or password"
            )
        }

        @Test func aTokenThatHasRunOutIsFetchedAnew() throws {
            let server = try TokenRegistry(["expired": 1])
            let side = try Side(credential: TokenRegistry.anna)
            let name = try side.image("\(server.registry.name)/app:v1")
            let target = try side.client.push(name, from: side.store)
            #expect(try server.questions.count == 2)
            #expect(try Side(credential: TokenRegistry.anna).pull(name).digest == target.digest)
        }

        @Test func aLoginGetsAnIdentityToken() throws {
            let server = try TokenRegistry()
            let client = try Side().client
            func login(_ password: String) throws -> LoginAnswer {
                let credential = Credential.basic(user: "anna", password: password)
                return try RegistryLogin.verify(server.registry.name, credential, client.configuration, client.options)
            }
            #expect(try login("secret") == .accepted(identityToken: "refresh-anna"))
            let question = try #require(try server.questions.first)
            #expect(question.path == "/token?service=here&offline_token=true&client_id=minirun&account=anna")
            let refusal = "Get \"http://\(server.registry.name)/v2/\": unauthorized: incorrect username or password"
            #expect(try login("wrong") == .refused(refusal))
        }

        /// Token servers of before OAuth have no POST, and take the token for a password.
        @Test(arguments: [nil, 404, 405] as [Int?]) func anIdentityTokenStandsForThePassword(_ post: Int?) throws {
            let server = try TokenRegistry(["post": post.map { .number($0) } ?? .null])
            let credential = Credential.identityToken(user: "anna", token: "refresh-anna")
            let side = try Side(credential: credential)
            let name = try side.image("\(server.registry.name)/app:v1")
            let target = try side.client.push(name, from: side.store)
            #expect(try Side(credential: credential).pull(name).digest == target.digest)
            let questions = try server.questions
            let form = try #require(questions.first?.form)
            #expect(form["grant_type"]?.string == "refresh_token" && form["refresh_token"]?.string == "refresh-anna")
            #expect(form["service"]?.string == "here" && form["scope"]?.string == "repository:app:pull,push")
            #expect(questions.contains { $0.method == "GET" } == (post != nil))
            let old = try Side(credential: .identityToken(user: "anna", token: "refresh-otto"))
            if post == nil {
                #expect(old.refusal(name).text == "unauthorized: incorrect username or password")
            }
        }

        @Test func aMountAsksForBothRepositories() throws {
            let server = try TokenRegistry()
            let side = try Side(credential: TokenRegistry.anna)
            let name = try side.image("\(server.registry.name)/one:v1")
            try side.client.push(name, from: side.store)
            let lines = Lines()
            let other = try ImageReference("\(server.registry.name)/two:v1")
            try side.store.tag(try side.store.resolve("\(name)"), as: other)
            try side.client.push(other, from: side.store) { lines.add($0) }
            #expect((lines.pushed, lines.mounted, lines.existing) == (0, 2, 0))
            let both = "scope=repository%3Aone%3Apull&scope=repository%3Atwo%3Apull%2Cpush"
            #expect(try server.questions.contains { $0.path.contains(both) })
        }

        /// The registry answers 202 to a mount from what may not be read.
        @Test func aMountThatIsNotAllowedIsAnUpload() throws {
            let server = try TokenRegistry(["denied": ["one"]])
            let side = try Side(credential: TokenRegistry.anna)
            let name = try ImageReference("\(server.registry.name)/two:v1")
            let elsewhere = try side.image("\(server.registry.name)/one:v1")
            let image = try side.store.resolve("\(elsewhere)")
            let source = try ImageReference("\(server.registry.name)/one@\(image.target.digest)")
            try side.store.commit(target: image.target, references: [source], platform: nil)
            try side.store.tag(image, as: name)
            let lines = Lines()
            let target = try side.client.push(name, from: side.store) { lines.add($0) }
            #expect((lines.pushed, lines.mounted, lines.existing) == (2, 0, 0))
            #expect(try Side(credential: TokenRegistry.anna).pull(name).digest == target.digest)
            #expect(server.registry.uploads(of: "two").isEmpty)
        }

        /// Taking an upload back needs a right of its own there.
        @Test func anUploadThatFailsIsTakenBack() throws {
            let server = try TokenRegistry()
            let front = try FrontServer(registry: server.registry) { _, ports, registry in
                """
                server { listen 127.0.0.1:\(ports[0]); client_max_body_size 100k; location / { proxy_pass \(registry); } }
                """
            }
            let side = try Side(credential: TokenRegistry.anna)
            let name = try side.image("\(front.name)/app:v1", layers: [300_000])
            #expect(side.pushRefusal(name).text.hasSuffix("413 Request Entity Too Large"))
            let back = front.requests(at: 0).filter { $0.hasPrefix("DELETE") }
            #expect(back.contains { $0.contains(" 204 ") }, "\(back)")
            #expect(server.registry.uploads(of: "app").isEmpty)
        }
    }
}

extension RegistryServer {
    /// Uploads to a repository that were begun and are neither done nor taken back. Of the latter empty folders stay.
    func uploads(of repository: String) -> [String] {
        let folder = "\(folder)/data/docker/registry/v2/repositories/\(repository)/_uploads"
        return ((try? Files.list(folder)) ?? []).filter { (try? FileStatus.of("\(folder)/\($0)/startedat")) != nil }
    }
}
