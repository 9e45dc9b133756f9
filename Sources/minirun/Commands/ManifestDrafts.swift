import LinuxSystem
import OCI

/// The lists that docker's client is putting together: `manifest create` writes a folder for each in its configuration's,
/// and a file for each manifest (docker/cli, cli/manifest/store). They are read here, and never written.
struct ManifestDrafts {
    private let folder: String?

    /// - Parameter folder: docker's folder for its client's files; nil where there is none.
    init(_ folder: String?) { self.folder = folder.map { "\($0)/manifests" } }

    /// One manifest of a list.
    func manifest(_ reference: ImageReference, in list: ImageReference) throws -> ManifestInspection {
        guard let folder,
            let found = try read("\(folder)/\(ManifestDrafts.name(list))/\(ManifestDrafts.name(reference))")
        else { throw EngineError(.notFound, "No such manifest: \(reference)") }
        return found
    }

    /// All of a list; nil where docker is not putting that one together.
    func manifests(of list: ImageReference) throws -> [ManifestInspection]? {
        guard let folder = folder.map({ "\($0)/\(ManifestDrafts.name(list))" }) else { return nil }
        let names: [String]
        do throws(SystemError) { names = try Files.list(folder) } catch {
            if error.code == SystemError.notFound { return nil }
            throw error
        }
        return try names.sorted().compactMap { try read("\(folder)/\($0)") }
    }

    private func read(_ path: String) throws -> ManifestInspection? {
        let bytes: [UInt8]
        do throws(SystemError) { bytes = try Files.read(path) } catch {
            if error.code == SystemError.notFound { return nil }
            throw error
        }
        return try ManifestInspection(draft: bytes, path: path)
    }

    private static func name(_ reference: ImageReference) -> String {
        String(reference.description.map { $0 == ":" ? "-" : $0 == "/" ? "_" : $0 })
    }
}
