import LinuxSystem
import OCI

/// A file with credentials: docker's config.json or podman's auth.json, which have the same form (docker/cli,
/// cli/config/configfile; containers-auth.json(5)).
struct CredentialFile: Sendable {
    let path: String
    let json: JSON
    /// The helper of one registry, by the registry's key.
    let helpers: [String: String]
    /// The helper of all registries that have none of their own. Podman does not know it.
    let standardHelper: String?
    let httpHeaders: [Endpoint.Header]

    /// - Parameter path: for errors, which never show what the file holds.
    init(_ bytes: [UInt8], path: String) throws(EngineError) {
        let json: JSON
        // docker takes an empty file as one that says nothing.
        if bytes.allSatisfy({ $0 <= 0x20 }) {
            json = .object([])
        } else {
            do { json = try JSON.parse(bytes) } catch { throw EngineError(.invalid, "\(path): \(error.message)") }
        }
        let reader = try JSONReader(json, path)
        _ = try reader.members("auths")
        self.path = path
        self.json = json
        helpers = try reader.texts("credHelpers")
        standardHelper = try reader.text("credsStore")
        httpHeaders = try reader.texts("HttpHeaders").sorted { $0.key < $1.key }
            .filter { HeaderTable.isValid($0.key, $0.value) }.map { .init($0.key, $0.value) }
    }

    init(
        path: String,
        json: JSON,
        helpers: [String: String],
        standardHelper: String?,
        httpHeaders: [Endpoint.Header]
    ) {
        self.path = path
        self.json = json
        self.helpers = helpers
        self.standardHelper = standardHelper
        self.httpHeaders = httpHeaders
    }

    /// The file; nil where there is none.
    ///
    /// - Parameter owners: the users of whom one must own the file, else it counts as not there; nil for anybody.
    static func load(_ path: String, owners: Set<UInt32>?) throws(EngineError) -> CredentialFile? {
        let bytes: [UInt8]
        do throws(SystemError) {
            let file = try FileDescriptor.openRegular(path)
            if let owners, !owners.contains(try file.status().owner) { return nil }
            bytes = try file.readAll(limit: ConfigurationFile.largest)
        } catch {
            if [SystemError.notFound, SystemError.notFolder, SystemError.denied].contains(error.code) { return nil }
            throw EngineError(.failed, "reading \(path): \(error.reason)")
        }
        return try CredentialFile(bytes, path: path)
    }

    /// $DOCKER_CONFIG/config.json, or the one in the home folder.
    static func dockerPath(_ environment: [String: String], home: String?) -> String? {
        CredentialStore.dockerFolder(environment, home: home).map { "\($0)/config.json" }
    }
}

extension CredentialStore {
    /// Where docker's client keeps its own files: $DOCKER_CONFIG, or a folder in the home folder; nil where there is neither.
    package static func dockerFolder(_ environment: [String: String], home: String?) -> String? {
        if let folder = environment["DOCKER_CONFIG"], !folder.isEmpty { return folder }
        return home.map { "\($0)/.docker" }
    }
}

extension CredentialFile {
    /// The helper for a registry; its own before the one for all.
    func helper(for key: RegistryKey) -> String? {
        for name in key.names {
            if let helper = helpers[name], !helper.isEmpty { return helper }
        }
        return standardHelper
    }

    /// The credential that the file itself holds: that of the longest part of `registry/repository` which has one, then
    /// that of a key which is a URL of the registry.
    func credential(for key: RegistryKey, repository: String) throws(EngineError) -> Credential? {
        let auths = json["auths"]?.object ?? []
        for name in key.paths(repository) {
            if let entry = auths.last(where: { $0.key == name }), let found = try credential(entry) { return found }
        }
        for entry in auths where RegistryKey.host(ofEntry: entry.key) == key.host {
            if let found = try credential(entry) { return found }
        }
        return nil
    }

    /// Nil for an empty entry, as docker writes it where a helper has the credential.
    private func credential(_ entry: (key: String, value: JSON)) throws(EngineError) -> Credential? {
        func text(_ key: String) -> String? {
            entry.value[key]?.string.flatMap { $0.isEmpty || $0.utf8.contains(0) ? nil : $0 }
        }
        if let token = text("registrytoken") { return .registryToken(token) }
        var user = text("username")
        var password = text("password")
        if let auth = text("auth") {
            guard let decoded = Base64.decode(auth).map({ String(rawBytes: $0) }),
                let colon = decoded.utf8.firstIndex(of: UInt8(ascii: ":")), colon > decoded.startIndex
            else { throw EngineError(.invalid, "\(path): the entry for \(entry.key) is not valid") }
            user = String(decoded[..<colon])
            // Old clients filled the password up with null bytes.
            password = decoded[decoded.utf8.index(after: colon)...].split(separator: "\0").first.map(String.init) ?? ""
        }
        if let token = text("identitytoken") { return .identityToken(user: user, token: token) }
        guard let user else { return nil }
        return .basic(user: user, password: password ?? "")
    }
}
