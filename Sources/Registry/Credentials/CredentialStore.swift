import LinuxSystem
import OCI

/// The credentials that docker and podman users have. docs/registries.md says where they are looked for, and in what order.
package struct CredentialStore: Sendable {
    /// Where they are looked for; the first that has one wins.
    private var sources: [Source] = []
    /// Where `store` and `erase` write; nil where there is no home.
    let ownPath: String?
    let environment: [String: String]
    /// What is wrong with a source that was left out.
    package private(set) var warnings: [String] = []
    /// Whether DOCKER_AUTH_CONFIG has a say: docker warns of it at `login` and `logout`.
    package let usesEnvironment: Bool

    private struct Source: Sendable {
        let file: CredentialFile
        /// Whose file it is, where it is not ours.
        let user: HostUser?
        /// Podman's files have helpers only for single registries, and docker's variable has none.
        let hasStandardHelper: Bool
    }

    /// Reads the files.
    ///
    /// - Parameters:
    ///   - home: of the user as whom this process runs.
    ///   - invokingUser: who called sudo. Of theirs only files are read that they or root own.
    package static func load(
        environment: [String: String],
        home: String?,
        invokingUser: HostUser?,
        uid: UInt32 = Process.effectiveUser
    ) throws(EngineError) -> CredentialStore {
        let authFile = environment["REGISTRY_AUTH_FILE"].flatMap { $0.isEmpty ? nil : $0 }
        var store = CredentialStore(
            ownPath: authFile ?? CredentialFile.dockerPath(environment, home: home),
            environment: environment
        )
        store.addEnvironment()
        if let authFile {
            try store.add(authFile)
            return store
        }
        if let path = CredentialFile.dockerPath(environment, home: home) { try store.add(path, isDockers: true) }
        for path in podmanFiles(environment, home: home, uid: uid) { try store.add(path) }
        if let user = invokingUser {
            let owners: Set<UInt32> = [0, user.uid]
            try store.add("\(user.home)/.docker/config.json", of: user, owners, isDockers: true)
            let runtime = ["XDG_RUNTIME_DIR": "/run/user/\(user.uid)"]
            for path in podmanFiles(runtime, home: user.home, uid: user.uid) { try store.add(path, of: user, owners) }
        }
        return store
    }

    private init(ownPath: String?, environment: [String: String]) {
        self.ownPath = ownPath
        self.environment = environment
        usesEnvironment = !(environment["DOCKER_AUTH_CONFIG"] ?? "").isEmpty
    }

    /// Where podman keeps credentials, the first first (containers-auth.json(5)).
    private static func podmanFiles(_ environment: [String: String], home: String?, uid: UInt32) -> [String] {
        var files: [String] = []
        if let runtime = environment["XDG_RUNTIME_DIR"], !runtime.isEmpty {
            files.append("\(runtime)/containers/auth.json")
        } else {
            files.append("/run/containers/\(uid)/auth.json")
        }
        if let folder = environment["XDG_CONFIG_HOME"], !folder.isEmpty {
            files.append("\(folder)/containers/auth.json")
        } else if let home {
            files.append("\(home)/.config/containers/auth.json")
        }
        return files
    }

    private mutating func addEnvironment() {
        guard usesEnvironment, let text = environment["DOCKER_AUTH_CONFIG"] else { return }
        do throws(EngineError) {
            let file = try CredentialFile(text.rawBytes, path: "DOCKER_AUTH_CONFIG")
            sources.append(Source(file: file.withoutHelpers, user: nil, hasStandardHelper: false))
        } catch {
            warnings.append("DOCKER_AUTH_CONFIG is left out: \(error.message)")
        }
    }

    private mutating func add(
        _ path: String,
        of user: HostUser? = nil,
        _ owners: Set<UInt32>? = nil,
        isDockers: Bool = false
    ) throws(EngineError) {
        do throws(EngineError) {
            guard let file = try CredentialFile.load(path, owners: owners) else { return }
            sources.append(Source(file: file, user: user, hasStandardHelper: isDockers))
        } catch {
            // Somebody else's broken file must not stop us.
            guard user != nil else { throw error }
            warnings.append("\(error.message)")
        }
    }
}

extension CredentialStore {
    /// The credential for a repository; nil where there is none.
    ///
    /// - Parameters:
    ///   - host: `Endpoint.credentialsKey`, "docker.io" for Docker Hub.
    ///   - repository: its path at that endpoint; "" for the registry as a whole.
    package func credential(for host: String, repository: String = "") throws(EngineError) -> Credential? {
        let key = RegistryKey(host)
        for source in sources {
            if let found = try credential(in: source, key, repository) { return found }
        }
        return nil
    }

    /// A helper that a file names for a registry is asked in place of what the file itself holds, as docker does.
    private func credential(in source: Source, _ key: RegistryKey, _ repository: String) throws(EngineError)
        -> Credential?
    {
        let helper = source.hasStandardHelper ? source.file.helper(for: key) : source.file.ownHelper(for: key)
        guard let helper else { return try source.file.credential(for: key, repository: repository) }
        return try CredentialHelper(helper, user: source.user, environment: environment).get(key.name)
    }
}

extension CredentialFile {
    /// Only the helper that the registry has of its own.
    fileprivate func ownHelper(for key: RegistryKey) -> String? {
        key.names.lazy.compactMap { helpers[$0] }.first { !$0.isEmpty }
    }

    /// A variable may bring secrets, but not programs.
    fileprivate var withoutHelpers: CredentialFile {
        CredentialFile(path: path, json: json, helpers: [:], standardHelper: nil, httpHeaders: [])
    }
}
