import LinuxSystem
import OCI
import Registry
import Runner

/// The registries and credentials of who runs this program.
enum RegistryAccess {
    private static var home: String? {
        let home = Process.environment("HOME") ?? ""
        return home.isEmpty ? HostUser.with(uid: Process.effectiveUser)?.home : home
    }

    static func configuration() throws -> RegistryConfiguration {
        try RegistryConfiguration.load(environment: Process.environment, home: home)
    }

    /// What is wrong with somebody's file is said once, and is no reason to give up.
    static func credentials() throws -> CredentialStore {
        let environment = Process.environment
        let store = try CredentialStore.load(
            environment: environment,
            home: home,
            invokingUser: HostUser.invoking(environment)
        )
        for warning in store.warnings { Console.complain("WARNING: \(warning)\n") }
        return store
    }

    /// Where docker's client keeps its own files.
    static var dockerFolder: String? { CredentialStore.dockerFolder(Process.environment, home: home) }

    /// The client that commands use.
    ///
    /// - Parameter insecure: a name whose registry may be spoken to without a good certificate.
    static func client(insecure: ImageReference? = nil) throws -> RegistryClient {
        let store = try credentials()
        var options = try TransferOptions.fromEnvironment()
        options.userAgent = "minirun/\(Version.number)"
        let configuration = try configuration()
        return RegistryClient(
            configuration: try insecure.map(configuration.allowingInsecure) ?? configuration,
            credentials: { host, repository in try store.credential(for: host, repository: repository) },
            options: options
        )
    }

    /// Where `run` and `build` get images. The display of a pull appears on a descriptor; nil shows nothing.
    static func source(showing descriptor: Int32?) -> ImageSource {
        ImageSource { reference, platform, store, events in
            let display = events == nil ? descriptor.map { TransferDisplay($0) } : nil
            return try asDaemon {
                let result = try client().pull(
                    reference,
                    into: store,
                    platform: platform,
                    events: DebugLines.telling(events ?? { event in display?.handle(event) })
                )
                display?.finish(result)
                return result
            }
        } documents: { reference, platform, store in
            try asDaemon { try client().documents(of: reference, into: store, platform: platform) }
        }
    }

    private static func asDaemon<R>(_ body: () throws -> R) throws -> R {
        do { return try body() } catch let error as EngineError {
            throw EngineError(error.kind, "Error response from daemon: \(error.message)", hint: error.hint)
        }
    }

    /// docker's words at `login` and `logout`.
    static func warnOfVariable(_ store: CredentialStore, _ complain: (String) -> Void) {
        guard store.usesEnvironment else { return }
        let name = "DOCKER_AUTH_CONFIG"
        complain("WARNING: \(name) is set and takes precedence.\nUnset \(name) to restore the CLI auth behaviour.\n")
    }
}
