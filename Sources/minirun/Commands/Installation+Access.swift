import Images
import LinuxSystem
import OCI
import Runner

extension Installation {
    /// Does a verb's work with an engine that starts nothing, so that the shim need not be there. What is refused for want
    /// of root says what to do about it.
    static func withEngine<R>(_ globals: GlobalOptions, _ work: (Engine) throws -> R) throws -> R {
        do {
            return try work(engine(globals, shim: ""))
        } catch let error as SystemError where error.code == SystemError.denied && !Process.isRoot {
            throw EngineError(.failed, "\(error)", hint: "minirun needs root for this: try again with sudo")
        }
    }

    /// For verbs that only read. Containers whose engines were killed are settled first, so that none is shown as running;
    /// where that fails the list is still worth more than nothing.
    static func reading<R>(_ globals: GlobalOptions, _ work: (Engine) throws -> R) throws -> R {
        try withEngine(globals) { engine in
            try? engine.recover()
            return try work(engine)
        }
    }

    /// Does the same with several names. One that fails is reported and the others go on; the exit code is then 1.
    /// - Parameter forgiving: with `--force` something that does not exist is reported, but is no failure.
    static func each(_ names: [String], forgiving: Bool, _ work: (String) throws -> Void) throws -> Int32 {
        var exitCode: Int32 = 0
        for name in names {
            do { try work(name) } catch let error as EngineError {
                let report = ErrorReport(error)
                Console.complain(report.text + "\n")
                if !forgiving || error.kind != .notFound { exitCode = report.exitCode }
            }
        }
        return exitCode
    }
}
