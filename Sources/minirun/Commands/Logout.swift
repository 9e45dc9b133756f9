import OCI
import Registry

/// `minirun logout`
enum LogoutCommand {
    static let verb = Verb(
        ["logout"],
        "Log out from a registry",
        usage: "[SERVER]",
        arguments: .atMost(1),
        common: true,
        run: { parsed in
            let store = try RegistryAccess.credentials()
            run(parsed.positional.first ?? "", store, print: Console.print, complain: Console.complain)
            return 0
        }
    )

    /// A credential that cannot be erased is a warning, as with docker.
    static func run(
        _ server: String,
        _ store: CredentialStore,
        print: (String) -> Void,
        complain: (String) -> Void
    ) {
        RegistryAccess.warnOfVariable(store, complain)
        let shown = server.isEmpty ? LoginServer.hub : LoginServer(server).host
        print("Removing login credentials for \(shown)\n")
        do throws(EngineError) { _ = try store.erase(for: server) } catch {
            complain("WARNING: could not erase credentials:\n\(shown): \(error.message)\n")
        }
    }
}
