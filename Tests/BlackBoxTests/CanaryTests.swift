import LinuxSystem
import OCI
import TestSupport
import Testing

/// CVE-2025-0495: a password is in the file that the person's client keeps, and nowhere else: in no output, report, plan, log,
/// image or record.
@Suite(.serialized, .enabled(if: Minirun.isEnabled), .timeLimit(.minutes(20))) struct CanaryTests {
    private static let user = "anna-canary"
    private static let password = "canary-5f1e77d0"
    /// The password, and what an Authorization header makes of both.
    private static let secrets = [password, Base64.encode(Array("\(user):\(password)".utf8)), "refresh-\(user)"]

    let minirun: Minirun
    init() throws { minirun = try Minirun() }

    @Test func aPasswordIsNowhere() throws {
        let (certificate, key) = try Certificates.selfSigned("tokens", in: minirun.folder)
        let plan: JSON = [
            "log": .string(minirun.path("log")), "key": .string(key), "certificate": .string(certificate),
            "users": .object([(Self.user, .string(Self.password))]),
        ]
        let tests = Files.parent(of: Files.parent(of: #filePath))
        let script = "\(tests)/RegistryTests/Servers/token-server.py"
        let tokens = try ServerProcess(["python3", script, try minirun.write("plan.json", plan.text())])
        let realm = "http://127.0.0.1:\(try tokens.line())/token"
        let registry = try RegistryServer(
            more: "auth: {token: {realm: \"\(realm)\", service: here, issuer: test, rootcertbundle: \(certificate)}}\n"
        )
        let environment = ["DOCKER_CONFIG": minirun.path("docker")]
        let context = try minirun.makeFolder("context")
        let name = "\(registry.name)/app:v1"
        try Files.write("\(context)/Dockerfile", Array("FROM \(name)\nRUN env; cat /proc/self/environ; false\n".utf8))

        let login = ["login", "-u", Self.user, "--password-stdin", registry.name]
        var outputs = [try minirun.invoke(login, input: "wrong", environment: environment)]
        outputs.append(try minirun.invoke(login, input: Self.password, environment: environment))
        #expect(outputs[1].code == 0, "\(outputs[1])")
        for arguments in [
            ["load", "-i", "\(Fixtures.folder)/busybox.docker.tar"], ["tag", "busybox", name], ["push", name],
            ["-D", "push", name],
            ["rmi", name, "busybox"], ["-D", "pull", name], ["-l", "debug", "pull", name],
            ["pull", "\(registry.name)/none:v1"],
            ["run", "--rm", "--report=json", name, "env"], ["run", "--explain=json", name, "env"],
            ["-D", "run", name, "false"],
            ["manifest", "inspect", "-v", name], ["inspect", name], ["history", name], ["info"],
            ["system", "df", "-v"],
            ["build", "--pull", "--progress=plain", "--no-cache", context], ["-D", "build", "--pull", context],
            ["ps", "-a"],
            ["images"], ["system", "check"], ["save", "-o", minirun.path("saved.tar"), name],
            ["logout", registry.name],
        ] {
            outputs.append(try minirun.invoke(arguments, environment: environment, timeout: 100))
        }
        #expect(outputs.filter { $0.code == 0 }.count > 14, "\(outputs.map(\.code))")
        for outcome in outputs {
            for secret in Self.secrets { #expect(!"\(outcome.out)\n\(outcome.err)".contains(secret), "\(outcome)") }
        }
        for secret in Self.secrets {
            let words = ["grep", "-rlaF", secret, minirun.root, minirun.state, minirun.path("saved.tar"), context]
            #expect(try Subprocess.run(words, timeout: 60_000).outputText == "", "\(secret)")
        }
    }
}
