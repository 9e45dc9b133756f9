import Build
import Images
import LinuxSystem
import OCI
import Runner

/// `minirun system limits`: how much the store may take, and how much of the disk it leaves. Without options it shows what
/// is set.
enum SystemLimitsCommand {
    static let verb = Verb(
        ["system limits"],
        "Show or set how much space images may take",
        usage: "[OPTIONS]",
        arguments: .none,
        options: SystemOptions.limits,
        run: run
    )

    private static func run(_ parsed: ParsedArguments) throws -> Int32 {
        try Installation.withEngine(parsed.globals) { engine in
            var limits = try parsed.isSet("images") && parsed.isSet("free") ? StoreLimits() : engine.images.limits()
            if let text = parsed.value("images") { limits.images = text == "none" ? nil : try DiskSizes.bytes(text) }
            if let text = parsed.value("free") { limits.free = text == "none" ? nil : try DiskSizes.free(text) }
            guard parsed.isSet("images") || parsed.isSet("free") else {
                let room = try FileSystemRoom.at(engine.images.root)
                return Console.print(text(limits, taken: try engine.images.quickUsage(), room))
            }
            try engine.images.setLimits(limits)
            try Installation.keepLimits(engine, since: Clock.realtime)
        }
        return 0
    }

    private static func text(_ limits: StoreLimits, taken: Int64, _ room: FileSystemRoom) -> String {
        let images = limits.images.map { HumanReadable.size($0) } ?? "none"
        var free = "none"
        switch limits.free {
        case .percent(let percent): free = "\(percent)%"
        case .bytes(let bytes): free = HumanReadable.size(bytes)
        case nil: break
        }
        let share = room.size > 0 ? room.free * 100 / room.size : 0
        return Table.align(
            "LIMIT\tSET TO\tNOW\nimages\t\(images)\t\(HumanReadable.size(taken))\n"
                + "free\t\(free)\t\(HumanReadable.size(room.free)) (\(share)%)\n"
        )
    }
}
