import LinuxSystem
import OCI

/// The folders with a folder for each registry: containerd's with hosts.toml, docker's and podman's with certificates
/// (dockerd(8), "certs.d"; containers-certs.d(5)).
struct CertificateFolders: Sendable {
    /// containerd's, and docker's where that has such files.
    private var hostFolders: [String] = []
    private var certificateFolders: [String] = []

    init() {}

    init(etc: String, userFolder: String?) {
        hostFolders = ["\(etc)/containerd/certs.d", "\(etc)/docker/certs.d"]
        certificateFolders =
            (userFolder.map { ["\($0)/containers/certs.d"] } ?? [])
            + ["\(etc)/containers/certs.d", "\(etc)/docker/certs.d", "\(etc)/containerd/certs.d"]
    }

    func hostsFile(_ domain: String) throws(EngineError) -> HostsFile? {
        for folder in hostFolders {
            for name in CertificateFolders.names(of: domain) {
                if let file = try hostsFile(in: "\(folder)/\(name)") { return file }
            }
        }
        return nil
    }

    func defaultHostsFile() throws(EngineError) -> HostsFile? {
        for folder in hostFolders {
            if let file = try hostsFile(in: "\(folder)/_default") { return file }
        }
        return nil
    }

    private func hostsFile(in folder: String) throws(EngineError) -> HostsFile? {
        let file = "\(folder)/hosts.toml"
        guard let bytes = try ConfigurationFile.read(file, forgiving: true), !bytes.isEmpty else { return nil }
        return try HostsFile(bytes, file: file)
    }

    /// A registry's folder is named as the registry, or with `_5000_` for `:5000` where a file system has no colons.
    private static func names(of registry: String) -> [String] {
        guard let colon = registry.lastIndex(of: ":") else { return [registry] }
        return ["\(registry[..<colon])_\(registry[registry.index(after: colon)...])_", registry]
    }

    /// Adds the certificates of the first folder that has one for the host: `*.crt` are roots, `*.cert` with `*.key` are
    /// shown to the registry.
    func addCertificates(of endpoint: Endpoint, to tls: inout TLSSettings) throws(EngineError) {
        if endpoint.scheme == .http { return }
        var names = CertificateFolders.names(of: endpoint.authority)
        if endpoint.credentialsKey == "docker.io" { names.append("docker.io") }
        for folder in certificateFolders {
            for name in names {
                let files = try ConfigurationFile.names(in: "\(folder)/\(name)")
                let hasSome = try CertificateFolders.add(files, in: "\(folder)/\(name)", to: &tls)
                if hasSome { return }
            }
        }
    }

    private static func add(_ files: [String], in folder: String, to tls: inout TLSSettings) throws(EngineError)
        -> Bool
    {
        var found = false
        for file in files {
            let path = "\(folder)/\(file)"
            if file.hasSuffix(".crt") {
                found = true
                if !tls.additionalRoots.contains(path) { tls.additionalRoots.append(path) }
            } else if file.hasSuffix(".cert") {
                found = true
                let key = file.dropLast(4) + "key"
                guard files.contains(String(key)) else {
                    throw EngineError(
                        .invalid,
                        "missing key \(folder)/\(key) for client certificate \(path)",
                        hint: "a file with roots to trust is named .crt"
                    )
                }
                let pair = TLSSettings.ClientCertificate(certificate: path, key: "\(folder)/\(key)")
                if !tls.clientCertificates.contains(pair) { tls.clientCertificates.append(pair) }
            } else if file.hasSuffix(".key"), !files.contains(file.dropLast(3) + "cert") {
                throw EngineError(
                    .invalid,
                    "missing client certificate \(folder)/\(file.dropLast(3))cert for key \(path)"
                )
            }
        }
        return found
    }
}
