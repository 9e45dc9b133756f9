import LinuxSystem
import OCI

/// What became of a credential that was stored.
package enum CredentialPlace: Equatable, Sendable {
    /// In a helper, by its name.
    case helper(String)
    /// As plain text in this file.
    case file(String)
    /// It was there already.
    case unchanged
}

extension CredentialStore {
    /// Stores a registry's credential: in the helper that docker's config.json names for it, else in that file
    /// (REGISTRY_AUTH_FILE's, where that is set).
    ///
    /// - Parameter server: as it is typed for `login`; "" for Docker Hub.
    package func store(_ credential: Credential, for server: String) throws(EngineError) -> CredentialPlace {
        let key = RegistryKey(server)
        return try edit { (file, path) throws(EngineError) -> (json: JSON?, result: CredentialPlace) in
            if let name = file.helper(for: key) {
                try CredentialHelper(name, user: nil, environment: environment).store(credential, for: key.name)
                // docker leaves an empty entry, by which it knows where it is logged in.
                return (file.json.settingAuth(key.name, [:]), .helper(name))
            }
            let json = file.json.settingAuth(key.name, credential.entry)
            return (json, json == file.json ? .unchanged : .file(path))
        }
    }

    /// Forgets a registry's credential, under every name that docker ever stored it.
    ///
    /// - Returns: whether there was one.
    package func erase(for server: String) throws(EngineError) -> Bool {
        let key = RegistryKey(server)
        let isHub = key.isHub
        return try edit { (file, _) throws(EngineError) -> (json: JSON?, result: Bool) in
            var names = isHub ? key.names : [key.host, "http://\(key.host)", "https://\(key.host)"]
            if !server.isEmpty, !names.contains(server) { names.append(server) }
            var found = false
            var failure: EngineError?
            if let name = file.helper(for: key) {
                let helper = try CredentialHelper(name, user: nil, environment: environment)
                for server in isHub ? [key.name] : names {
                    do throws(EngineError) {
                        if try helper.erase(server) { found = true }
                    } catch { failure = error }
                }
            }
            let before = file.json["auths"]?.object?.count ?? 0
            let json = file.json.removingAuths(names)
            found = found || (json["auths"]?.object?.count ?? 0) < before
            if !found, let failure { throw failure }
            return (found ? json : nil, found)
        }
    }

    /// Changes the file while no other minirun does. Nothing is written where the change is nil or none.
    private func edit<R>(
        _ change: (CredentialFile, String) throws(EngineError) -> (json: JSON?, result: R)
    ) throws(EngineError) -> R {
        guard let ownPath else {
            throw EngineError(
                .failed,
                "there is no home folder to keep credentials in",
                hint: "set HOME or DOCKER_CONFIG"
            )
        }
        return try lock(Files.parent(of: ownPath)).holding { () throws(EngineError) -> R in
            // A link stays: dotfiles are often kept elsewhere.
            let path = (try? Link.canonical(ownPath)) ?? ownPath
            let existing = try CredentialFile.load(path, owners: nil)
            let empty = try CredentialFile([], path: path)
            let changed: (json: JSON?, result: R) = try change(existing ?? empty, ownPath)
            if let json = changed.json, json != existing?.json {
                do throws(SystemError) { try CredentialStore.write(json, to: path) } catch {
                    throw EngineError(.failed, "storing credentials: \(error)")
                }
            }
            return changed.result
        }
    }

    private func lock(_ folder: String) throws(EngineError) -> FileLock {
        do throws(SystemError) {
            try Files.makeDirectories(folder, mode: 0o700)
            return try FileLock(folder: folder, .exclusive)
        } catch {
            throw EngineError(.failed, "storing credentials: \(error)")
        }
    }

    /// For the owner's eyes only, with docker's indentation. Root keeps the owner that the file had, or takes the folder's:
    /// a root-owned file in a user's home would lock the user out.
    private static func write(_ json: JSON, to path: String) throws(SystemError) {
        let old = try? FileStatus.of(path)
        let mode = old.map { $0.mode & 0o600 } ?? 0o600
        try Files.replace(path, with: json.bytesIndentedByTabs(), mode: mode, durable: true)
        guard Process.isRoot, let owner = old ?? (try? FileStatus.following(Files.parent(of: path))) else { return }
        try Files.changeOwner(path, owner.owner, owner.group)
    }
}

extension Credential {
    /// As docker writes it.
    fileprivate var entry: JSON {
        func auth(_ user: String, _ password: String) -> JSON {
            .string(Base64.encode("\(user):\(password)".rawBytes))
        }
        switch self {
        case .basic(let user, let password): return ["auth": auth(user, password)]
        case .identityToken(let user, let token):
            guard let user else { return ["identitytoken": .string(token)] }
            return ["auth": auth(user, ""), "identitytoken": .string(token)]
        case .registryToken(let token): return ["registrytoken": .string(token)]
        }
    }
}

extension JSON {
    /// The same document with one entry of `auths` added or replaced; all else stays, in its order.
    fileprivate func settingAuth(_ name: String, _ entry: JSON) -> JSON {
        var auths = self["auths"]?.object ?? []
        if let at = auths.firstIndex(where: { $0.key == name }) {
            auths[at].value = entry
        } else {
            auths.append((name, entry))
        }
        return setting("auths", .object(auths))
    }

    fileprivate func removingAuths(_ names: [String]) -> JSON {
        guard let auths = self["auths"]?.object else { return self }
        return setting("auths", .object(auths.filter { !names.contains($0.key) }))
    }

    private func setting(_ key: String, _ value: JSON) -> JSON {
        var members = object ?? []
        if let at = members.firstIndex(where: { $0.key == key }) {
            members[at].value = value
        } else {
            members.append((key, value))
        }
        return .object(members)
    }
}
