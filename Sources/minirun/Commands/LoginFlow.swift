import LinuxSystem
import OCI
import Registry

/// Whom `login` talks to.
struct LoginDialogue {
    var isTerminal: Bool
    /// A line that is typed after a prompt; nil at the end of the input.
    var line: (_ prompt: String) throws -> String?
    /// The same without showing it.
    var secret: (_ prompt: String) throws -> String?
    /// All that comes on the standard input.
    var everything: () throws -> String
    var print: (String) -> Void
    var complain: (String) -> Void
}

/// The steps of `login` (docker/cli, cli/command/registry/login.go): with what the options say, else with what is stored,
/// else with what is typed. What the registry accepts is stored.
///
/// Docker Hub's login by the browser is left out.
struct LoginFlow {
    let store: CredentialStore
    let dialogue: LoginDialogue
    let verify: (LoginServer, Credential) throws -> LoginAnswer

    func run(_ request: LoginRequest) throws {
        var request = request
        if !request.password.isEmpty {
            dialogue.complain("WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n")
        }
        if request.readsPassword { request.password = try passwordFromInput() }
        RegistryAccess.warnOfVariable(store, dialogue.complain)
        var storedUser: String?
        if request.user.isEmpty, request.password.isEmpty {
            let found = try? store.credential(for: request.server.host)
            if case .basic(let user, let password) = found, !user.isEmpty {
                storedUser = user
                if !password.isEmpty, try runStored(request.server, user, password) { return }
            }
        }
        guard !request.user.isEmpty && !request.password.isEmpty || dialogue.isTerminal else {
            throw EngineError(.invalid, "Cannot perform an interactive login from a non TTY device")
        }
        let user = try self.user(request, storedUser)
        let password = request.password.isEmpty ? try self.password(request.server) : request.password
        switch try verify(request.server, .basic(user: user, password: password)) {
        case .accepted(let token): try accept(request.server, user, password, token)
        case .refused(let message): throw EngineError(.failed, message)
        }
    }

    /// With a stored credential; false where it no longer does.
    private func runStored(_ server: LoginServer, _ user: String, _ password: String) throws -> Bool {
        dialogue.complain(
            "Authenticating with existing credentials... [Username: \(user)]\n\n"
                + " Info -> To login with a different account, run 'minirun logout' followed by 'minirun login'\n\n\n"
        )
        do {
            if case .accepted(let token) = try verify(server, .basic(user: user, password: password)) {
                try accept(server, user, password, token)
                return true
            }
            dialogue.complain("Stored credentials invalid or expired\n")
        } catch {
            dialogue.complain("Login did not succeed, error: \(error)\n")
        }
        return false
    }

    private func accept(_ server: LoginServer, _ user: String, _ password: String, _ token: String?) throws {
        let credential: Credential =
            if let token { .identityToken(user: user, token: token) } else { .basic(user: user, password: password) }
        let place: CredentialPlace
        do throws(EngineError) { place = try store.store(credential, for: server.typed) } catch {
            throw EngineError(error.kind, "error saving credentials: \(error.message)", hint: error.hint)
        }
        if case .file(let path) = place, token == nil {
            dialogue.complain(
                """

                WARNING! Your credentials are stored unencrypted in '\(path)'.
                Configure a credential helper to remove this warning. See
                https://docs.docker.com/go/credential-store/


                """
            )
        }
        dialogue.print("Login Succeeded\n")
    }
}

// MARK: - what is asked

extension LoginFlow {
    /// Without the line end that a pipe or an editor added; all else belongs to the password.
    private func passwordFromInput() throws -> String {
        var bytes = try dialogue.everything().rawBytes
        for end in [[0x0D, 0x0A], [0x0A], [0x0D]] as [[UInt8]] where bytes.suffix(end.count) == end[...] {
            bytes.removeLast(end.count)
            break
        }
        let password = String(rawBytes: bytes)
        if password.allSatisfy(\.isWhitespace) { throw EngineError(.invalid, "password is empty") }
        return password
    }

    private func user(_ request: LoginRequest, _ stored: String?) throws -> String {
        let given = request.user.trimmed
        if !given.isEmpty { return given }
        if request.server.isHub {
            dialogue.print(
                "Log in with your Docker ID or email address to push and pull images from Docker Hub. "
                    + "If you don't have a Docker ID, head over to https://hub.docker.com/ to create one.\n"
                    + "You can log in with your password or a Personal Access Token (PAT). Using a limited-scope PAT grants "
                    + "better security and is required for organizations using SSO. Learn more at "
                    + "https://docs.docker.com/go/access-tokens/\n\n"
            )
        }
        let typed = try dialogue.line(stored.map { "Username (\($0)): " } ?? "Username: ")?.trimmed ?? ""
        let user = typed.isEmpty ? stored ?? "" : typed
        if user.isEmpty { throw EngineError(.invalid, "username is required") }
        return user
    }

    private func password(_ server: LoginServer) throws -> String {
        let typed = try dialogue.secret("Password: ") ?? ""
        dialogue.print("\n")
        if typed.isEmpty { throw EngineError(.invalid, "Password Required") }
        return typed
    }
}

extension LoginDialogue {
    static var console: LoginDialogue {
        LoginDialogue(
            isTerminal: Terminal.isTerminal(0),
            line: { prompt in
                Console.print(prompt)
                return try StandardStream.input.readLine()
            },
            secret: { prompt in
                Console.print(prompt)
                switch try Terminal.readSecret(0) {
                case .line(let text): return text
                case .ended: return nil
                case .interrupted: throw CommandLineError(text: "", exitCode: 130)
                }
            },
            everything: { String(rawBytes: try StandardStream.input.readAll()) },
            print: Console.print,
            complain: Console.complain
        )
    }
}
