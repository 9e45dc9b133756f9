import Build
import Images
import LinuxSystem
import OCI
import Runner

extension Installation {
    /// Does a verb's work that brings images into the store, and keeps the store within its limits afterwards.
    static func adding(_ parsed: ParsedArguments, _ work: (Engine) throws -> Void) throws {
        try withEngine(parsed.globals) { engine in
            let began = Clock.realtime
            do { try work(engine) } catch {
                try? engine.settle()
                throw error
            }
            try keepLimits(engine, since: began)
        }
    }

    /// Tells of every image that had to go.
    static func keepLimits(_ engine: Engine, since began: UInt64) throws {
        try engine.keepLimits(since: began) { names, lastUse in
            let ago = HumanReadable.ago(lastUse, now: Clock.realtime)
            Console.complain("Removed \(names.joined(separator: ", ")), last used \(ago), to keep the store's limits\n")
        }
    }
}
