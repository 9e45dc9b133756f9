import Images
import OCI
import Runner

/// `minirun inspect`: an object of any kind.
enum InspectCommand {
    static let verb = Verb(
        ["inspect"],
        "Return low-level information on containers and images",
        usage: "[OPTIONS] NAME|ID [NAME|ID...]",
        arguments: .atLeast(1),
        completes: .object,
        options: SystemOptions.inspect,
        run: run
    )

    private static func run(_ parsed: ParsedArguments) throws -> Int32 {
        let type = parsed.value("type") ?? ""
        guard ["", "container", "image"].contains(type) else {
            throw EngineError(.invalid, "unknown type: \(type.goQuoted): must be one of \"container\", \"image\"")
        }
        if type == "image", parsed.flag("size") { Console.complain("WARNING: --size ignored for images\n") }
        return try Installation.reading(parsed.globals) { engine in
            let who = type.isEmpty ? "Error" : "Error response from daemon"
            return try Inspection.run(parsed.positional, format: parsed.value("format"), who: who) { name in
                switch type {
                case "container": return try ContainerInspectCommand.object(name, parsed, engine)
                case "image": return try ImageInspectCommand.object(name, nil, engine.images)
                default: return try any(name, parsed, engine)
                }
            }
        }
    }

    /// The container of that name, or else the image.
    private static func any(_ name: String, _ parsed: ParsedArguments, _ engine: Engine) throws -> JSON {
        do {
            return try ContainerInspectCommand.object(name, parsed, engine)
        } catch let error as EngineError {
            guard error.kind == .notFound else { throw error }
        }
        do {
            return try ImageInspectCommand.object(name, nil, engine.images)
        } catch let error as EngineError {
            // A text that is no image's name may still have been meant as a container's.
            guard error.kind == .notFound || error.kind == .invalid else { throw error }
            throw EngineError(.notFound, "No such object: \(name)")
        }
    }
}

/// `minirun container inspect`
enum ContainerInspectCommand {
    static let verb = Verb(
        ["container inspect"],
        "Display detailed information on one or more containers",
        usage: "[OPTIONS] CONTAINER [CONTAINER...]",
        arguments: .atLeast(1),
        completes: .object,
        options: ContainerListOptions.inspect,
        run: run
    )

    private static func run(_ parsed: ParsedArguments) throws -> Int32 {
        try Installation.reading(parsed.globals) { engine in
            try Inspection.run(parsed.positional, format: parsed.value("format")) { try object($0, parsed, engine) }
        }
    }

    static func object(_ name: String, _ parsed: ParsedArguments, _ engine: Engine) throws -> JSON {
        let record = try engine.containers.named(name)
        var inspection = ContainerInspection(
            record: record,
            folder: engine.containers.bundle(record.id, removedAtEnd: record.removeAtEnd),
            dataFolder: engine.containers.folder(record.id),
            layers: try record.layers.reversed().map { engine.images.layerFiles(try Digest($0)) }
        )
        inspection.pid = try engine.pid(of: record)
        if parsed.flag("size") { inspection.size = try engine.size(of: record) }
        return inspection.object
    }
}
