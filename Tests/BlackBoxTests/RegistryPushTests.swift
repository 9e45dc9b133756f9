import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// `push` and `login`, with Debian's docker-registry and other engines' clients beside them.
@Suite(.serialized, .enabled(if: Minirun.isEnabled), .timeLimit(.minutes(20))) struct RegistryPushTests {
    let minirun: Minirun
    let registry: RegistryServer

    init() throws {
        minirun = try Minirun()
        registry = try RegistryServer()
    }

    @Test func whatIsPushedIsTheSameEverywhere() throws {
        #expect(try minirun("load", "-i", "\(Fixtures.folder)/python-3.8-slim.docker.tar", timeout: 200).code == 0)
        let name = "\(registry.name)/me/python:v1"
        #expect(try minirun("tag", "python:3.8-slim", name).code == 0)
        let push = try minirun("push", name, timeout: 120)
        #expect(
            push.code == 0 && push.out.contains("The push refers to repository [\(registry.name)/me/python]"),
            "\(push)"
        )
        let digest = try registry.digest("me/python:v1")
        #expect(push.out.contains("v1: digest: \(digest) size: "), "\(push)")
        let podman = [
            "podman", "--root", minirun.path("podman"), "--runroot", minirun.path("run"), "--storage-driver", "vfs",
        ]
        let pulled = try Subprocess.run(podman + ["pull", "-q", "--tls-verify=false", name], timeout: 200_000)
        #expect(pulled.status == .exited(0), "\(pulled.errorText)")
        let listed = try Subprocess.run(podman + ["images", "--digests", "--format={{.Digest}}"], timeout: 60_000)
        #expect(listed.outputText.contains(digest))
        // And the other way round.
        let back = "\(registry.name)/me/back:v1"
        let words = ["push", "-q", "--tls-verify=false", "--digestfile=\(minirun.path("digest"))", name, back]
        let returned = try Subprocess.run(podman + words, timeout: 200_000)
        #expect(returned.status == .exited(0), "\(returned.errorText)")
        let pullBack = try minirun("pull", back, timeout: 120)
        #expect(pullBack.out.contains("Digest: \(try Files.readText(minirun.path("digest")).line)\n"), "\(pullBack)")
        let second = try minirun("push", name)
        #expect(second.out.contains("Layer already exists") && second.out.contains(digest), "\(second)")
        #expect(try minirun("pull", name).out.contains("Status: Image is up to date for \(name)"))
        try Files.removeTree(minirun.path("podman"))
    }

    /// `--all-tags`: every tag's lines, and one heading and one status for all.
    @Test func allTags() throws {
        #expect(try minirun("load", "-i", "\(Fixtures.folder)/busybox.docker.tar").code == 0)
        let name = "\(registry.name)/all"
        let absent = try minirun("push", "\(name):v1")
        #expect(absent.code == 1 && absent.err.hasSuffix("An image does not exist locally with the tag: \(name)\n"))
        for tag in ["v1", "v2"] { #expect(try minirun("tag", "busybox", "\(name):\(tag)").code == 0) }
        let other = try minirun("push", "\(name):v3")
        #expect(other.code == 1 && other.err.hasSuffix("tag does not exist: \(name):v3\n"), "\(other)")
        #expect(other.out == "The push refers to repository [\(name)]\n")
        let push = try minirun("push", "-a", name)
        #expect(push.code == 0)
        expectInOrder(["The push refers to repository [\(name)]\n", "v1: digest: ", "v2: digest: "], in: push.out[...])
        #expect(push.out.ranges(of: "The push refers").count == 1, "\(push)")
        let pull = try minirun("pull", "-a", name)
        #expect(pull.code == 0)
        expectInOrder(
            [
                "v1: Pulling from all\nDigest: ", "v2: Pulling from all\nDigest: ",
                "Status: Image is up to date for \(name)\n\(name)\n",
            ],
            in: pull.out[...]
        )
        #expect(pull.out.ranges(of: "Status:").count == 1, "\(pull)")
    }

    /// What `login` stores of a token server with refresh tokens is what docker stores, and good for skopeo as well.
    @Test func aLoginStoresAnIdentityToken() throws {
        let (certificate, key) = try Certificates.selfSigned("tokens", in: minirun.folder)
        let plan: JSON = [
            "log": .string(minirun.path("log")), "key": .string(key), "certificate": .string(certificate),
            "users": ["anna": "secret"],
        ]
        let tests = Files.parent(of: Files.parent(of: #filePath))
        let script = "\(tests)/RegistryTests/Servers/token-server.py"
        let tokens = try ServerProcess(["python3", script, try minirun.write("plan.json", plan.text())])
        let realm = "http://127.0.0.1:\(try tokens.line())/token"
        let registry = try RegistryServer(
            more:
                "auth: {token: {realm: \"\(realm)\", service: here, issuer: test, rootcertbundle: \(certificate)}}\n"
        )
        let folder = minirun.path("docker")
        let environment = ["DOCKER_CONFIG": folder]
        func login(_ password: String) throws -> Outcome {
            let words = ["login", "-u", "anna", "--password-stdin", registry.name]
            return try minirun.invoke(words, input: password, environment: environment)
        }
        let refused = try login("wrong")
        #expect(refused.code == 1 && refused.err.contains("unauthorized: incorrect username or password"), "\(refused)")
        let accepted = try login("secret")
        #expect(accepted.code == 0 && accepted.out == "Login Succeeded\n", "\(accepted)")
        let stored = try JSON.parse(Files.read("\(folder)/config.json"))["auths"]?[registry.name]
        #expect(stored == ["auth": "YW5uYTo=", "identitytoken": "refresh-anna"], "\(stored?.text() ?? "")")
        #expect(try minirun("load", "-i", "\(Fixtures.folder)/busybox.docker.tar").code == 0)
        #expect(try minirun("tag", "busybox", "\(registry.name)/app:v1").code == 0)
        let push = try minirun("push", "\(registry.name)/app:v1", environment: environment)
        let digest = try tool(
            "skopeo",
            "inspect",
            "--authfile=\(folder)/config.json",
            "--tls-verify=false",
            "--format={{.Digest}}",
            "docker://\(registry.name)/app:v1"
        ).line
        #expect(push.code == 0 && push.out.contains("v1: digest: \(digest) size: "), "\(push)")
    }

    @Test func anInterruptedPushTakesItsUploadsBack() throws {
        let plan: JSON = [
            "log": .string(minirun.path("log")),
            "rules": [["match": "/uploads/", "method": "PUT", "do": "hang", "times": 9]],
        ]
        let file = try minirun.write("plan.json", plan.text())
        let tests = Files.parent(of: Files.parent(of: #filePath))
        let server = try ServerProcess(["python3", "\(tests)/RegistryTests/Servers/misbehaving-registry.py", file])
        let port = try JSON.parse(Array(try server.line().utf8))["port"]?.int ?? 0
        let name = "127.0.0.1:\(port)/repo:v2"
        #expect(try minirun("load", "-i", "\(Fixtures.folder)/busybox.docker.tar").code == 0)
        #expect(try minirun("tag", "busybox", name).code == 0)
        let null = try FileDescriptor.open("/dev/null", O_RDWR)
        let pid = try Subprocess.start(
            minirun.command(["push", name]),
            environment: Minirun.environment(),
            descriptors: [null.raw, null.raw, null.raw]
        )
        func requests(_ method: String) -> Int {
            let log = (try? Files.readText(minirun.path("log"))) ?? ""
            return log.split(separator: "\n").filter { $0.contains("\"method\": \"\(method)\"") }.count
        }
        #expect(eventually(20_000) { requests("PUT") == 2 || HostProcesses.hasEnded(pid) })
        kill(pid, SIGINT)
        #expect(try Subprocess.wait(for: pid) == .signalled(SIGINT))
        #expect(requests("DELETE") == 2)
    }
}
