import LinuxSystem
import OCI
import Testing

@testable import Registry

@Suite struct Base64Tests {
    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"), ("\u{0}ÿ?>", "AMO/Pz4="),
    ])
    func vectors(_ text: String, _ encoded: String) {
        #expect(Base64.encode(Array(text.utf8)) == encoded)
        #expect(Base64.decode(encoded) == Array(text.utf8))
    }

    @Test(arguments: ["Z", "Zg", "Zg=", "Zg===", "=Zg=", "Z===", "Zg==Zg==", "Zm9-", " Zm9v", "é==="])
    func refused(_ text: String) { #expect(Base64.decode(text) == nil) }

    @Test func roundTrip() {
        var random = Seeded(5)
        for count in 0..<300 {
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
            #expect(Base64.decode(Base64.encode(bytes)) == bytes)
        }
    }
}

@Suite struct CredentialTests {
    private let home: Folder

    init() throws { home = try Folder() }

    private func store(_ environment: [String: String] = [:], _ user: HostUser? = nil) throws -> CredentialStore {
        // Nothing of this machine: podman's runtime folder is in the home folder too.
        let base = ["XDG_RUNTIME_DIR": "\(home.path)/run", "PATH": "\(home.path)/bin:/usr/bin:/bin"]
        return try CredentialStore.load(
            environment: base.merging(environment) { $1 },
            home: home.path,
            invokingUser: user
        )
    }

    private func auth(_ text: String) -> String { Base64.encode(Array(text.utf8)) }

    @Test func dockerFile() throws {
        try home.write(
            ".docker/config.json",
            """
            {"auths": {
              "https://index.docker.io/v1/": {"auth": "\(auth("hub:p:w"))"},
              "quay.io": {"auth": "\(auth("q:p\0\0"))"},
              "quay.io/team/secret": {"auth": "\(auth("t:p"))"},
              "https://old.example/v2/": {"username": "o", "password": "p"},
              "token.example:5000": {"auth": "\(auth("id:"))", "identitytoken": "I"},
              "bearer.example": {"registrytoken": "B"},
              "empty.example": {},
              "bad.example": {"auth": "!secret"},
              "colon.example": {"auth": "\(auth("nocolon"))"}
            }}
            """
        )
        let store = try store()
        for name in ["docker.io", "index.docker.io", "registry-1.docker.io", "https://index.docker.io/v1/"] {
            #expect(try store.credential(for: name, repository: "library/a") == .basic(user: "hub", password: "p:w"))
        }
        #expect(try store.credential(for: "quay.io", repository: "a/b") == .basic(user: "q", password: "p"))
        #expect(try store.credential(for: "quay.io", repository: "team/secret/x") == .basic(user: "t", password: "p"))
        #expect(try store.credential(for: "quay.io", repository: "team/secrets") == .basic(user: "q", password: "p"))
        #expect(try store.credential(for: "old.example") == .basic(user: "o", password: "p"))
        #expect(try store.credential(for: "token.example:5000") == .identityToken(user: "id", token: "I"))
        #expect(try store.credential(for: "token.example") == nil)
        #expect(try store.credential(for: "bearer.example") == .registryToken("B"))
        #expect(try store.credential(for: "empty.example") == nil)
        for name in ["bad.example", "colon.example"] {
            let error = try #require(throws: EngineError.self) { try store.credential(for: name) }
            #expect(error.message == "\(home.path)/.docker/config.json: the entry for \(name) is not valid")
        }
    }

    @Test func order() throws {
        func file(_ user: String, _ hosts: String...) -> String {
            "{\"auths\": {" + hosts.map { "\"\($0)\": {\"auth\": \"\(auth("\(user):p"))\"}" }.joined(separator: ",")
                + "}}"
        }
        try home.write(".docker/config.json", file("docker", "a", "b"))
        try home.write("run/containers/auth.json", file("runtime", "b", "c"))
        try home.write(".config/containers/auth.json", file("config", "c", "d"))
        let named = try home.write("named.json", file("named", "b"))
        let other = try home.write("other/config.json", file("other", "a"))
        func user(_ host: String, _ environment: [String: String] = [:]) throws -> String? {
            guard case .basic(let user, _) = try store(environment).credential(for: host) else { return nil }
            return user
        }
        #expect(try ["a", "b", "c", "d", "e"].map { try user($0) } == ["docker", "docker", "runtime", "config", nil])
        let variable = ["DOCKER_AUTH_CONFIG": file("variable", "a")]
        #expect(try ["a", "b"].map { try user($0, variable) } == ["variable", "docker"])
        let authFile = ["REGISTRY_AUTH_FILE": named]
        #expect(try ["a", "b", "c"].map { try user($0, authFile) } == [nil, "named", nil])
        let folder = ["DOCKER_CONFIG": Files.parent(of: other)]
        #expect(try ["a", "b"].map { try user($0, folder) } == ["other", "runtime"])
        let broken = try store(["DOCKER_AUTH_CONFIG": "{"])
        #expect(broken.warnings.count == 1)
        #expect(try broken.credential(for: "a") != nil)
    }

    /// A helper that keeps what it is given in a folder, and says of whom it was asked.
    private func installHelper() throws {
        try home.write(
            "bin/docker-credential-test",
            """
            #!/bin/sh
            cd "\(home.path)/kept" || exit 1
            case $1 in
            store) cat >stored ;;
            get) read -r server
                [ "$server" = broken.example ] && { echo "the keychain is locked"; exit 1; }
                [ "$server" = garbage.example ] && { echo "{"; exit 0; }
                [ "$server" = none.example ] && { echo "credentials not found in native keychain"; exit 1; }
                [ "$server" = token.example ] && { echo '{"Username":"<token>","Secret":"T"}'; exit 0; }
                printf '{"ServerURL":"%s","Username":"%s","Secret":"s"}' "$server" "$(id -u)" ;;
            erase) cat >>erased; echo >>erased ;;
            list) echo '{"a.example":"u"}' ;;
            esac
            """,
            mode: 0o755
        )
        try Files.makeDirectories("\(home.path)/kept", mode: 0o777)
    }

    @Test func helpers() throws {
        try installHelper()
        try home.write(
            ".docker/config.json",
            """
            {"credHelpers": {"one.example": "test", "bad.example": "../test", "absent.example": "absent"},
             "credsStore": "test", "auths": {"none.example": {"auth": "\(auth("u:p"))"}}}
            """
        )
        let store = try store()
        let uid = String(Process.effectiveUser)
        #expect(try store.credential(for: "one.example", repository: "a") == .basic(user: uid, password: "s"))
        #expect(try store.credential(for: "docker.io") == .basic(user: uid, password: "s"))
        #expect(try store.credential(for: "token.example") == .identityToken(user: nil, token: "T"))
        #expect(try store.credential(for: "none.example") == nil)
        for (host, part) in [
            ("broken.example", "the keychain is locked"), ("garbage.example", "not valid"),
            ("bad.example", "no credential helper's name"),
            ("absent.example", "docker-credential-absent was not found"),
        ] {
            let error = try #require(throws: EngineError.self) { try store.credential(for: host) }
            #expect(error.message.contains(part), "\(error.message)")
        }
        let environment = ["PATH": "\(home.path)/bin:/usr/bin:/bin"]
        #expect(try CredentialHelper("test", user: nil, environment: environment).list() == ["a.example": "u"])
        // Podman's files know helpers for single registries only.
        try home.write("run/containers/auth.json", #"{"credsStore": "absent", "credHelpers": {"x.example": "test"}}"#)
        try Files.remove("\(home.path)/.docker/config.json")
        #expect(try self.store().credential(for: "y.example") == nil)
        #expect(try self.store().credential(for: "x.example") == .basic(user: uid, password: "s"))
    }

    @Test func storing() throws {
        let store = try store()
        let path = "\(home.path)/.docker/config.json"
        try home.write(
            ".docker/config.json",
            "{\"z\": 1, \"auths\": {\"a\": {\"auth\": \"eDp5\"}}, \"b\": [true]}",
            mode: 0o644
        )
        #expect(try store.store(.basic(user: "u", password: "p"), for: "https://reg.example:5000/v2/") == .file(path))
        #expect(
            try home.read(".docker/config.json")
                == "{\n\t\"z\": 1,\n\t\"auths\": {\n\t\t\"a\": {\n\t\t\t\"auth\": \"eDp5\"\n\t\t},\n\t\t\"reg.example:5000\": {\n"
                + "\t\t\t\"auth\": \"dTpw\"\n\t\t}\n\t},\n\t\"b\": [\n\t\ttrue\n\t]\n}"
        )
        #expect(try FileStatus.of(path).mode == 0o600)
        #expect(try self.store().credential(for: "reg.example:5000") == .basic(user: "u", password: "p"))
        _ = try store.store(.identityToken(user: "u", token: "t"), for: "")
        #expect(try self.store().credential(for: "docker.io") == .identityToken(user: "u", token: "t"))
        #expect(try home.read(".docker/config.json").contains(#""https://index.docker.io/v1/""#))
        #expect(try store.erase(for: "reg.example:5000"))
        #expect(try !store.erase(for: "reg.example:5000"))
        #expect(try store.erase(for: "docker.io"))
        #expect(try self.store().credential(for: "docker.io") == nil)
        #expect(
            try JSON.parse(home.read(".docker/config.json")) == ["z": 1, "auths": ["a": ["auth": "eDp5"]], "b": [true]]
        )
    }

    @Test func storingElsewhere() throws {
        // Where nothing is there yet; and through a link, which stays one.
        let store = try store(["DOCKER_CONFIG": "\(home.path)/new/folder"])
        _ = try store.store(.basic(user: "u", password: "p"), for: "r")
        #expect(try FileStatus.of("\(home.path)/new/folder").mode == 0o700)
        try home.write("dotfiles/config.json", "{}")
        try Files.makeDirectories("\(home.path)/.docker")
        try Link.create("\(home.path)/.docker/config.json", to: "\(home.path)/dotfiles/config.json")
        _ = try self.store().store(.basic(user: "u", password: "p"), for: "r")
        #expect(try FileStatus.of("\(home.path)/.docker/config.json").kind == .symbolicLink)
        #expect(try home.read("dotfiles/config.json").contains("dTpw"))
        // A broken file is not overwritten.
        try home.write("dotfiles/config.json", "{\"auths\": ")
        #expect(throws: EngineError.self) { try self.store() }
        let late = try self.store(["DOCKER_CONFIG": "\(home.path)/late"])
        try home.write("late/config.json", "{\"auths\": ")
        #expect(throws: EngineError.self) { try late.store(.registryToken("x"), for: "r") }
        #expect(try home.read("late/config.json") == "{\"auths\": ")
        #expect(try home.read("dotfiles/config.json") == "{\"auths\": ")
    }

    @Test func storingInAHelper() throws {
        try installHelper()
        try home.write(".docker/config.json", #"{"credsStore": "test"}"#)
        #expect(try store().store(.basic(user: "u", password: "p\"w"), for: "r.example") == .helper("test"))
        #expect(
            try JSON.parse(home.read("kept/stored"))
                == ["ServerURL": "r.example", "Username": "u", "Secret": "p\"w"]
        )
        #expect(
            try JSON.parse(home.read(".docker/config.json")) == ["credsStore": "test", "auths": ["r.example": [:]]]
        )
        #expect(try store().erase(for: "r.example"))
        #expect(try home.read("kept/erased") == "r.example\nhttp://r.example\nhttps://r.example\n")
        #expect(try JSON.parse(home.read(".docker/config.json")) == ["credsStore": "test", "auths": [:]])
    }

    /// Many at once: none is lost.
    @Test func concurrently() async throws {
        let path = home.path
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<16 {
                group.addTask {
                    let store = try CredentialStore.load(
                        environment: ["DOCKER_CONFIG": path, "XDG_RUNTIME_DIR": path],
                        home: nil,
                        invokingUser: nil
                    )
                    _ = try store.store(.basic(user: "u", password: "p"), for: "r\(number).example")
                }
            }
            try await group.waitForAll()
        }
        #expect(try JSON.parse(home.read("config.json"))["auths"]?.object?.count == 16)
    }

    @Test func hostileFiles() throws {
        // A folder in the file's place, an endless file, text that is no JSON, JSON of another form.
        try Files.makeDirectories("\(home.path)/.docker/config.json")
        #expect(throws: EngineError.self) { try store() }
        try Files.removeTree("\(home.path)/.docker")
        for text in [
            String(repeating: " ", count: 2 << 20), "secret", "[]", #"{"auths": []}"#, #"{"auths": {"a": "secret"}}"#,
            #"{"credHelpers": {"a": 1}}"#,
        ] {
            try home.write(".docker/config.json", text)
            let error = try #require(throws: EngineError.self) { try store() }
            #expect(!error.message.contains("secret"))
        }
        try home.write(".docker/config.json", "")
        #expect(try store().credential(for: "a") == nil)
    }

    @Test func anything() throws {
        var random = Seeded(6)
        let whole = """
            {"auths": {"https://index.docker.io/v1/": {"auth": "dTpw"}, "a/b": {"identitytoken": "x", "auth": "dTo="}},
             "credHelpers": {"q": "h"}, "HttpHeaders": {"X-Meta-A": "b"}}
            """
        for _ in 0..<10_000 {
            do {
                let file = try CredentialFile(random.damaged(whole), path: "f")
                for host in ["docker.io", "a"] { _ = try file.credential(for: RegistryKey(host), repository: "b/c") }
                for header in file.httpHeaders { #expect(HeaderTable.isValid(header.name, header.value)) }
            } catch { #expect(!error.message.utf8.contains(0x0A)) }
        }
    }
}
