import Build
import Images
import LinuxSystem
import OCI
import Runner

/// `minirun image verify`: compares images with what their digests say, from index.json to each unpacked file.
enum ImageVerifyCommand {
    static let verb = Verb(
        ["image verify"],
        "Verify images against their digests, down to each unpacked file",
        usage: "[OPTIONS] [IMAGE...]",
        arguments: .atLeast(0),
        completes: .image,
        options: ImageOptions.verify,
        run: run
    )

    private static func run(_ parsed: ParsedArguments) throws -> Int32 {
        let all = parsed.flag("all")
        if !all, parsed.positional.isEmpty {
            throw EngineError(.invalid, "name the images to verify, or say --all")
        }
        return try Installation.withEngine(parsed.globals) { engine in
            let verification = StoreVerification(engine.images)
            try engine.images.lease().during {
                if all {
                    try verification.verifyAll()
                } else {
                    for name in parsed.positional { verification.verify(entry: try engine.images.entry(for: name)) }
                }
            }
            try? engine.settle()
            Console.print(verification.faults.map { "\($0)\n" }.joined())
            if verification.needsRoot {
                Console.complain("WARNING: unpacked files were not compared: that needs root, try again with sudo\n")
            }
            let counts = verification.counts
            let seen = "\(counts.blobs) blobs, \(counts.layers) layers, \(counts.files) unpacked files"
            if verification.faults.isEmpty {
                Console.print("All is right: \(seen)\n")
                return 0
            }
            Console.complain("minirun: \(verification.faults.count) faults in \(seen)\n")
            return 1
        }
    }
}
