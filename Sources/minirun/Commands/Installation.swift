import Images
import LinuxSystem
import OCI
import Runner

/// Finds the engine that a command works with.
enum Installation {
    /// The engine at `--root` and `--state`. Opening it creates its folders, so it needs the right to.
    static func engine(_ globals: GlobalOptions) throws -> Engine {
        do {
            return try engine(globals, shim: shim())
        } catch let error as SystemError where error.code == SystemError.denied {
            throw EngineError(.failed, "\(error)", hint: "minirun needs root for this: try again with sudo")
        }
    }

    /// - Parameter shim: its path; empty for verbs that start nothing.
    static func engine(_ globals: GlobalOptions, shim: String) throws -> Engine {
        var engine = try Engine(root: root(globals), state: state(globals), shim: shim, driver: driver(globals))
        engine.warn = { Console.warn($0) }
        engine.images.unpackLimits = try unpackLimits()
        if Console.level == .debug { engine.debugOutput = { Console.debug($0) } }
        return engine
    }

    static func state(_ globals: GlobalOptions) -> String {
        place(globals.state, "MINIRUN_STATE", Engine.standardState)
    }

    static func driver(_ globals: GlobalOptions) throws -> StorageDriver {
        let said = globals.storageDriver ?? Process.environment("MINIRUN_STORAGE_DRIVER") ?? ""
        return said.isEmpty ? .dir : try StorageDriver(parsing: said)
    }

    static func root(_ globals: GlobalOptions) -> String { place(globals.root, "MINIRUN_ROOT", Engine.standardRoot) }

    /// An option, else the variable; an empty text is none.
    private static func place(_ option: String?, _ variable: String, _ standard: String) -> String {
        [option, Process.environment(variable)].compactMap(\.self).first { !$0.isEmpty } ?? standard
    }

    /// The shim beside this program, in PREFIX/libexec, or where MINIRUN_SHIM says.
    static func shim() throws -> String {
        if let path = Process.environment("MINIRUN_SHIM"), !path.isEmpty { return path }
        let program = try Link.target("/proc/self/exe")
        let folder = Files.parent(of: program)
        let places = ["\(folder)/minirun-shim", "\(Files.parent(of: folder))/libexec/minirun/minirun-shim"]
        guard let found = places.first(where: FileStatus.exists) else {
            throw EngineError(
                .failed,
                "minirun-shim was not found beside \(program)",
                hint: "install it, or set MINIRUN_SHIM to its path"
            )
        }
        return found
    }
}
