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
            var engine = engine
            engine.images.unpackLimits = try unpackLimits(parsed)
            do { try work(engine) } catch {
                // What was stored before it failed.
                _ = try? engine.collect(keeping: BuildCache(engine.images).roots)
                throw error
            }
            try keepLimits(engine, since: began)
        }
    }

    /// The engine for a verb that may pull images.
    static func pullingEngine(_ parsed: ParsedArguments) throws -> Engine {
        var engine = try engine(parsed.globals)
        engine.images.unpackLimits = try unpackLimits(parsed)
        return engine
    }

    /// What a layer may hold: what the options say, else the environment. Who names a size means it, whatever the ratio.
    static func unpackLimits(_ parsed: ParsedArguments? = nil) throws -> UnpackLimits {
        let (size, entries) = (parsed?.value("max-layer-size"), parsed?.value("max-layer-entries"))
        var limits = UnpackLimits.default
        if let text = size ?? Process.environment("MINIRUN_MAX_LAYER_SIZE"), !text.isEmpty {
            limits.expansion.size = try DiskSizes.bytes(text)
            limits.expansion.ratio = nil
        }
        if let text = entries ?? Process.environment("MINIRUN_MAX_LAYER_ENTRIES"), !text.isEmpty {
            limits.tar.entries = Int(clamping: try Scalars.integer(text))
        }
        let depth = parsed?.value("max-layer-depth") ?? Process.environment("MINIRUN_MAX_LAYER_DEPTH")
        if let text = depth, !text.isEmpty {
            // PATH_MAX names 2,047 folders at most; what lies deeper no program could reach by its name.
            limits.tar.depth = min(max(1, Int(clamping: try Scalars.integer(text))), 2000)
        }
        return limits
    }

    /// Tells of every image that had to go.
    static func keepLimits(_ engine: Engine, since began: UInt64) throws {
        try engine.keepLimits(since: began) { names, lastUse in
            let ago = HumanReadable.ago(lastUse, now: Clock.realtime)
            Console.complain("Removed \(names.joined(separator: ", ")), last used \(ago), to keep the store's limits\n")
        }
    }
}
