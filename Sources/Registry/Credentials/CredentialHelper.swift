import LinuxSystem
import OCI

/// A program that keeps credentials: `docker-credential-NAME` (docker/docker-credential-helpers).
struct CredentialHelper: Sendable {
    let name: String
    /// As whom it runs; nil for who we are.
    let user: HostUser?
    let environment: [String: String]

    /// Milliseconds: somebody may have to type a passphrase meanwhile.
    private static let patience = 120_000
    /// What a helper says where it has nothing: no error.
    private static let notFound = "credentials not found in native keychain"

    /// - Throws: where the name would lead to another folder.
    init(_ name: String, user: HostUser?, environment: [String: String]) throws(EngineError) {
        guard !name.isEmpty, !name.contains("/"), !name.utf8.contains(0) else {
            throw EngineError(.invalid, "\"\(name)\" is no credential helper's name")
        }
        self.name = name
        self.user = user
        self.environment = environment
    }

    private var program: String { "docker-credential-\(name)" }

    /// Nil where the helper has none.
    func get(_ server: String) throws(EngineError) -> Credential? {
        guard let output = try run("get", input: server) else { return nil }
        guard let json = try? JSON.parse(output), let user = json["Username"]?.string,
            let secret = json["Secret"]?.string
        else { throw EngineError(.failed, "\(program) get: the answer is not valid") }
        if user == "<token>" { return .identityToken(user: nil, token: secret) }
        return user.isEmpty && secret.isEmpty ? nil : .basic(user: user, password: secret)
    }

    func store(_ credential: Credential, for server: String) throws(EngineError) {
        let (user, secret) =
            switch credential {
            case .basic(let user, let password): (user, password)
            case .identityToken(_, let token), .registryToken(let token): ("<token>", token)
            }
        let request: JSON = ["ServerURL": .string(server), "Username": .string(user), "Secret": .string(secret)]
        _ = try run("store", input: request.text())
    }

    /// Whether there was something to erase.
    func erase(_ server: String) throws(EngineError) -> Bool { try run("erase", input: server) != nil }

    /// The servers that the helper has a credential for, with the users.
    func list() throws(EngineError) -> [String: String] {
        guard let output = try run("list", input: "unused") else { return [:] }
        guard let servers = try? JSON.parse(output).object else {
            throw EngineError(.failed, "\(program) list: the answer is not valid")
        }
        return Dictionary(
            servers.compactMap { server, user in user.string.map { (server, $0) } },
            uniquingKeysWith: { first, _ in first }
        )
    }

    /// The output; nil where the helper says that it has no such credential.
    private func run(_ action: String, input: String) throws(EngineError) -> String? {
        guard let path = HelperEnvironment.find(program, in: environment) else {
            throw EngineError(
                .failed,
                "error getting credentials: \(program) was not found",
                hint: "install it, or take it out of docker's config.json (credsStore, credHelpers)"
            )
        }
        let result: Subprocess.Result
        do throws(SystemError) {
            result = try Subprocess.run(
                [program, action],
                program: path,
                environment: HelperEnvironment.of(user, environment),
                as: user.map { Subprocess.Identity(uid: $0.uid, gid: $0.gid, groups: $0.groups) },
                input: input.rawBytes,
                timeout: CredentialHelper.patience
            )
        } catch {
            throw EngineError(.failed, "\(error)")
        }
        if result.timedOut { throw EngineError(.failed, "\(program) \(action) did not end within two minutes") }
        if result.status == .exited(0) { return result.outputText }
        let text = (result.output.isEmpty ? result.errorText : result.outputText).split(separator: "\n").first ?? ""
        if text.hasPrefix(CredentialHelper.notFound) { return nil }
        throw EngineError(.failed, "\(program) \(action) failed: \(text.isEmpty ? "code \(result.status.code)" : text)")
    }
}

private enum HelperEnvironment {
    /// The first program of that name in the PATH. Only absolute folders count: a helper must not come from the folder that
    /// somebody happens to stand in.
    static func find(_ program: String, in environment: [String: String]) -> String? {
        let folders = (environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin").split(separator: ":")
        return folders.lazy.filter { $0.isAbsolutePath }.map { "\($0)/\(program)" }.first { path in
            guard let status = try? FileStatus.following(path) else { return false }
            return status.kind == .file && status.mode & 0o111 != 0
        }
    }

    /// Ours; of a helper that runs as the user who called sudo theirs, as far as it can be known.
    static func of(_ user: HostUser?, _ environment: [String: String]) -> [String] {
        guard let user else { return environment.map { "\($0.key)=\($0.value)" }.sorted() }
        var result = environment.filter { name, _ in
            !name.hasPrefix("XDG_") && !name.hasPrefix("SUDO_") && name != "DBUS_SESSION_BUS_ADDRESS" && name != "MAIL"
        }
        result["HOME"] = user.home
        result["USER"] = user.name
        result["LOGNAME"] = user.name
        let runtime = "/run/user/\(user.uid)"
        if FileStatus.exists(runtime) {
            result["XDG_RUNTIME_DIR"] = runtime
            if FileStatus.exists("\(runtime)/bus") { result["DBUS_SESSION_BUS_ADDRESS"] = "unix:path=\(runtime)/bus" }
        }
        return result.map { "\($0.key)=\($0.value)" }.sorted()
    }
}
