import Images
import LinuxSystem
import OCI
import Registry
import Runner

/// `minirun pull`
enum PullCommand {
    static let verb = Verb(
        ["image pull", "pull"],
        "Download an image from a registry",
        usage: "[OPTIONS] NAME[:TAG|@DIGEST]",
        arguments: .exactly(1),
        completes: .image,
        common: true,
        options: TransferCommandOptions.pull,
        run: run
    )

    private static func run(_ parsed: ParsedArguments) throws -> Int32 {
        let text = parsed.positional[0]
        let isQuiet = parsed.flag("quiet")
        let reference = try ImageReference(text)
        let namesTag = reference.digest != nil || ImageName.hasTag(text)
        let takesAll = parsed.flag("all-tags")
        if takesAll, namesTag { throw EngineError(.invalid, "tag can't be used with --all-tags/-a") }
        if !namesTag, !takesAll, !isQuiet { Console.print("Using default tag: latest\n") }
        let platform = try parsed.platform()
        try ContentTrust.check(parsed)
        return try DaemonWords.reporting {
            let client = try RegistryAccess.client()
            try Installation.withEngine(parsed.globals) { engine in
                var images = engine.images
                images.unpackLimits = try Installation.unpackLimits(parsed)
                let began = Clock.realtime
                var isNewer = false
                for name in takesAll ? try client.tags(of: reference).map(reference.tagged) : [reference] {
                    let display = isQuiet ? nil : TransferDisplay(1)
                    let result = try client.pull(
                        name,
                        into: images,
                        platform: platform,
                        unpacking: Process.isRoot && parsed.flag("unpack"),
                        events: DebugLines.telling { display?.handle($0) }
                    )
                    Console.debug("image \(name): \(result.image.id), manifest \(result.digest)")
                    isNewer = isNewer || result.isNewer
                    display?.say("Digest: \(result.digest)\n")
                }
                if !isQuiet {
                    let shown = takesAll ? reference.familiarRepository : reference.shownFamiliar
                    Console.print(TransferDisplay.status(isNewer, shown))
                }
                try Installation.keepLimits(engine, since: began)
            }
            Console.print(takesAll ? "\(reference.repository)\n" : "\(reference.shownAfterPull)\n")
        }
    }
}

extension TransferDisplay {
    /// docker's last lines of a pull.
    func finish(_ result: PullResult) {
        let status = TransferDisplay.status(result.isNewer, result.reference.shownFamiliar)
        say("Digest: \(result.digest)\n\(status)")
    }

    static func status(_ isNewer: Bool, _ name: String) -> String {
        "Status: \(isNewer ? "Downloaded newer image for" : "Image is up to date for") \(name)\n"
    }
}

extension ImageReference {
    /// With a digest the tag does not count, as docker shows it.
    fileprivate var shownAfterPull: String { digest.map { "\(repository)@\($0)" } ?? description }
    fileprivate var shownFamiliar: String { digest.map { "\(familiarRepository)@\($0)" } ?? familiar }
}

enum ImageName {
    /// Whether a name, as it was typed, has a tag.
    static func hasTag(_ text: String) -> Bool {
        guard let colon = text.lastIndex(of: ":") else { return false }
        return !text[colon...].contains("/")
    }
}

/// What tools look for in the output of `docker pull` and `docker push`.
enum DaemonWords {
    /// An error of the registry's, or on the way to it, begins as docker's does; the exit code is 1.
    static func reporting(_ body: () throws -> Void) throws -> Int32 {
        do {
            try body()
            return 0
        } catch let error as EngineError {
            let report = ErrorReport(error, program: "Error response from daemon")
            Console.complain(report.text + "\n")
            return 1
        }
    }
}
