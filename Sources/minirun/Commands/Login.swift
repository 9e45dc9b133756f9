import LinuxSystem
import OCI
import Registry

/// `minirun login`
enum LoginCommand {
    /// Asks a registry about a credential.
    typealias Verification = @Sendable (_ server: LoginServer, _ credential: Credential) throws -> LoginAnswer

    static let verb = verb { server, credential in
        try RegistryLogin.verify(
            server.typed,
            credential,
            RegistryAccess.configuration(),
            TransferOptions.fromEnvironment()
        )
    }

    static func verb(verify: @escaping Verification) -> Verb {
        Verb(
            ["login"],
            "Authenticate to a registry",
            usage: "[OPTIONS] [SERVER]",
            arguments: .atMost(1),
            common: true,
            options: RegistryVerbOptions.login,
            run: { parsed in
                let request = try LoginRequest(parsed)
                let dialogue = LoginDialogue.console
                try LoginFlow(store: try RegistryAccess.credentials(), dialogue: dialogue, verify: verify).run(request)
                return 0
            }
        )
    }
}

/// The registry that a login is for, as it is typed.
struct LoginServer: Equatable, Sendable {
    /// Docker Hub's, as docker shows it.
    static let hub = "https://index.docker.io/v1/"

    /// "" for Docker Hub.
    let typed: String

    init(_ typed: String) { self.typed = typed == "docker.io" || typed == LoginServer.hub ? "" : typed }

    var isHub: Bool { typed.isEmpty }

    /// Without scheme and path.
    var host: String {
        if isHub { return "docker.io" }
        var rest = typed[...]
        for scheme in ["https://", "http://"] where rest.lowercased().hasPrefix(scheme) {
            rest = rest.dropFirst(scheme.count)
        }
        return String(rest.prefix { $0 != "/" })
    }
}

/// What the options of `login` say.
struct LoginRequest: Equatable, Sendable {
    let server: LoginServer
    var user = ""
    var password = ""
    var readsPassword = false

    init(_ parsed: ParsedArguments) throws(EngineError) {
        server = LoginServer(parsed.positional.first ?? "")
        user = parsed.value("username") ?? ""
        password = parsed.value("password") ?? ""
        readsPassword = parsed.flag("password-stdin") || password == "-"
        if readsPassword {
            if parsed.isSet("password"), password != "-" {
                throw EngineError(
                    .invalid,
                    "conflicting options: cannot specify both --password and --password-stdin"
                )
            }
            guard parsed.isSet("username") else {
                throw EngineError(.invalid, "the --password-stdin option requires --username to be set")
            }
            password = ""
        }
        if parsed.isSet("username"), user.isEmpty { throw EngineError(.invalid, "username is empty") }
        if parsed.isSet("password"), !readsPassword, password.isEmpty {
            throw EngineError(.invalid, "password is empty")
        }
    }
}
