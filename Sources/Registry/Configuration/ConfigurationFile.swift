import LinuxSystem
import OCI

/// Reads configuration files: small ones, and only files (a pipe in one's place would wait for ever).
enum ConfigurationFile {
    static let largest = 1 << 20

    /// The content; nil where there is nothing.
    ///
    /// - Parameters:
    ///   - path: of a file that the engine's user wrote or another tool has.
    ///   - forgiving: what may not be read counts as nothing. For the files of other tools, which need not be everybody's.
    static func read(_ path: String, forgiving: Bool = false) throws(EngineError) -> [UInt8]? {
        do throws(SystemError) {
            let file = try FileDescriptor.openRegular(path)
            return try file.readAll(limit: largest)
        } catch {
            if error.code == SystemError.notFound || error.code == SystemError.notFolder { return nil }
            if forgiving, error.code == SystemError.denied { return nil }
            throw EngineError(.failed, "reading \(path): \(error.reason)")
        }
    }

    /// The names in a folder, sorted; empty where there is none or it may not be read.
    static func names(in folder: String) throws(EngineError) -> [String] {
        do throws(SystemError) { return try Files.list(folder).sorted() } catch {
            switch error.code {
            case SystemError.notFound, SystemError.notFolder, SystemError.denied: return []
            default: throw EngineError(.failed, "reading \(folder): \(error.reason)")
            }
        }
    }
}
