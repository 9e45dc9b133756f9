import LinuxSystem
import OCI

/// Where registries are, how they are spoken to, and through which proxies: everything that is decided before a request
/// goes out. docs/registries.md says which files it comes from and which of them wins.
package struct RegistryConfiguration: Sendable {
    /// Ours: the user's, then the system's.
    var own: [RegistriesFile] = []
    var containers = ContainersRegistries()
    var docker = DockerDaemonFile()
    var folders = CertificateFolders()
    var proxies = ProxySettings(environment: [:])
    /// Sent to every registry.
    var headers: [Endpoint.Header] = []
    /// A host that is insecure whatever the files say.
    var insecureHost: String?

    init() {}

    /// Reads the files.
    ///
    /// - Parameters:
    ///   - environment: MINIRUN_REGISTRIES names a file that takes the place of all others, or a folder that takes that of
    ///     /etc. Further DOCKER_CONFIG, XDG_CONFIG_HOME and the proxies' variables.
    ///   - home: the home folder of the user as whom this process runs; nil where there is none.
    ///   - etc: the folder with the system's configuration.
    package static func load(environment: [String: String], home: String?, etc: String = "/etc") throws(EngineError)
        -> RegistryConfiguration
    {
        var configuration = RegistryConfiguration()
        configuration.proxies = ProxySettings(environment: environment)
        configuration.headers = try dockerHeaders(environment, home)
        var etc = etc
        var home = home
        if let path = environment["MINIRUN_REGISTRIES"], !path.isEmpty {
            guard let status = try? FileStatus.following(path) else {
                throw EngineError(.notFound, "MINIRUN_REGISTRIES: \(path) does not exist")
            }
            guard status.kind == .directory else {
                let bytes = status.kind == .file ? try ConfigurationFile.read(path) : nil
                configuration.own = [try RegistriesFile(bytes ?? [], file: path)]
                return configuration
            }
            etc = path
            home = nil
        }
        try configuration.read(etc: etc, userFolder: userFolder(environment, home))
        return configuration
    }

    private mutating func read(etc: String, userFolder: String?) throws(EngineError) {
        let ownFiles = (userFolder.map { ["\($0)/minirun/registries.toml"] } ?? []) + ["\(etc)/minirun/registries.toml"]
        for file in ownFiles {
            guard let bytes = try ConfigurationFile.read(file) else { continue }
            own.append(try RegistriesFile(bytes, file: file))
        }
        containers = try ContainersRegistries(
            systemFolder: "\(etc)/containers",
            userFolder: userFolder.map { "\($0)/containers" }
        )
        docker = try DockerDaemonFile("\(etc)/docker/daemon.json")
        folders = CertificateFolders(etc: etc, userFolder: userFolder)
    }

    /// $XDG_CONFIG_HOME or ~/.config.
    private static func userFolder(_ environment: [String: String], _ home: String?) -> String? {
        guard let home else { return nil }
        let folder = environment["XDG_CONFIG_HOME"] ?? ""
        return folder.isAbsolutePath ? folder : "\(home)/.config"
    }

    /// Of the headers in docker's config.json the ones that docker's daemon passes on to registries.
    private static func dockerHeaders(_ environment: [String: String], _ home: String?) throws(EngineError)
        -> [Endpoint.Header]
    {
        guard let path = CredentialFile.dockerPath(environment, home: home),
            let file = try CredentialFile.load(path, owners: nil)
        else { return [] }
        return file.httpHeaders.filter { $0.name.lowercased().hasPrefix("x-meta-") }
    }
}
