import LinuxSystem
import OCI
import Testing

@testable import Registry

@Suite struct HostUserTests {
    private let etc: Folder

    init() throws {
        etc = try Folder()
        try etc.write(
            "passwd",
            "root:x:0:0::/root:/bin/sh\n# c\nbroken\nbad:x:y:1::/x:/\nann:x:4242:4243:Ann,,:/home/ann:/bin/sh\nrel:x:5:5::home:/\nplus:x:+7:7::/plus:/\nminus:x:-0:8::/minus:/\nboth:x:9:+9::/both:/\n"
        )
        try etc.write("group", "root:x:0:\nann:x:4243:\nvideo:x:44:bob,ann\nsign:x:+45:ann\naudio:x:29:anna\n")
    }

    @Test func files() throws {
        let ann = HostUser(name: "ann", uid: 4242, gid: 4243, home: "/home/ann", groups: [44])
        #expect(HostUser.with(uid: 4242, etc: etc.path) == ann)
        #expect(HostUser.with(uid: 5, etc: etc.path) == nil)
        #expect(HostUser.with(uid: 1, etc: "\(etc.path)/none") == nil)
        // A number with a sign is none.
        for uid in [7, 0, 9] as [UInt32] {
            #expect(HostUser.with(uid: uid, etc: etc.path)?.name == (uid == 0 ? "root" : nil))
        }
        #expect(HostUser.invoking(["SUDO_USER": "plus"], etc: etc.path) == nil)
        // Only for root is it somebody else's call.
        #expect(
            HostUser.invoking(["SUDO_USER": "ann", "SUDO_UID": "4242"], etc: etc.path) == (Process.isRoot ? ann : nil)
        )
        #expect(HostUser.invoking(["SUDO_USER": "ann", "SUDO_UID": "1"], etc: etc.path) == nil)
        #expect(HostUser.invoking(["SUDO_USER": "root"], etc: etc.path) == nil)
        #expect(HostUser.invoking(["SUDO_USER": "bad"], etc: etc.path) == nil)
        #expect(HostUser.invoking([:], etc: etc.path) == nil)
    }
}

/// What only root can show: whose files count, and as whom helpers run.
@Suite(.enabled(if: Process.isRoot)) struct InvokingUserTests {
    private let root: Folder
    private let home: String
    private let user: HostUser

    init() throws {
        root = try Folder()
        home = "\(root.path)/home"
        user = HostUser(name: "ann", uid: 4242, gid: 4243, home: home, groups: [44])
        try root.write(
            "home/.docker/config.json",
            #"{"auths": {"a.example": {"auth": "dTpw"}}, "credHelpers": {"h.example": "who"}}"#
        )
        try root.write(
            "bin/docker-credential-who",
            """
            #!/bin/sh
            read -r server
            caps=$(sed -n 's/^CapEff:[^0-9a-f]*//p' /proc/self/status)
            printf '{"Username":"%s","Secret":"%s"}' "$(id -u):$(id -g):$(id -G)" "$HOME:$caps:$(awk '/^Uid/ {print $3 $4 $5}' /proc/self/status)"
            """,
            mode: 0o755
        )
    }

    private func store() throws -> CredentialStore {
        let environment = [
            "PATH": "\(root.path)/bin:/usr/bin:/bin", "XDG_RUNTIME_DIR": "\(root.path)/run", "HOME": "/root",
        ]
        return try CredentialStore.load(environment: environment, home: "\(root.path)/none", invokingUser: user)
    }

    @Test func whoseFile() throws {
        let file = "\(home)/.docker/config.json"
        for (owner, counts) in [(0, true), (4242, true), (4244, false)] as [(UInt32, Bool)] {
            try Files.changeOwner(file, owner, 0)
            #expect((try store().credential(for: "a.example") != nil) == counts)
        }
        // Theirs and broken: a warning, not an error.
        try root.write("home/.docker/config.json", "{")
        try Files.changeOwner(file, 4242, 4243)
        #expect(try store().warnings.count == 1)
    }

    @Test func helperRunsAsTheUser() throws {
        #expect(
            try store().credential(for: "h.example")
                == .basic(user: "4242:4243:4243 44", password: "\(home):0000000000000000:424242424242")
        )
        // And we are root as before.
        #expect(Process.isRoot)
        #expect(try Subprocess.run(["id", "-u"]).outputText == "0\n")
        try Files.write("\(root.path)/mine", [], mode: 0o600)
        #expect(try FileStatus.of("\(root.path)/mine").owner == 0)
    }

    /// Root's own file in a folder of the user's belongs to the user, who could not read it otherwise.
    @Test func ownerOfANewFile() throws {
        try Files.makeDirectories("\(root.path)/theirs")
        try Files.changeOwner("\(root.path)/theirs", 4242, 4243)
        let store = try CredentialStore.load(
            environment: ["DOCKER_CONFIG": "\(root.path)/theirs", "XDG_RUNTIME_DIR": "/nonexistent"],
            home: nil,
            invokingUser: nil
        )
        _ = try store.store(.basic(user: "u", password: "p"), for: "r")
        let status = try FileStatus.of("\(root.path)/theirs/config.json")
        #expect(status.owner == 4242)
        #expect(status.mode == 0o600)
    }
}
