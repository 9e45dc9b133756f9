import Images
import LinuxSystem
import OCI
import Runner

/// `minirun load`
enum LoadCommand {
    static let verb = Verb(
        ["image load", "load"],
        "Load an image from a tar archive or STDIN",
        usage: "[OPTIONS]",
        arguments: .none,
        options: ImageOptions.load,
        run: run
    )

    private static func run(_ parsed: ParsedArguments) throws -> Int32 {
        let platform = try parsed.platform()
        let input = parsed.value("input") ?? ""
        if input.isEmpty, Terminal.isTerminal(StandardStream.input.rawValue) {
            throw EngineError(
                .invalid,
                "requested load from stdin, but stdin is empty",
                hint: "name a file with -i, or redirect one"
            )
        }
        // Owners and device nodes need root; who loads without it wants to look at an image, not to run it.
        let unpacks = Process.isRoot
        try Installation.adding(parsed) { engine in
            Console.debug("images are read from \(input.isEmpty ? "standard input" : input)")
            let loaded =
                input.isEmpty
                ? try engine.images.load(StandardStream.input.duplicate(), platform: platform, unpacking: unpacks)
                : try engine.images.load(path: input, platform: platform, unpacking: unpacks)
            for image in loaded {
                let layers = image.image.configuration.diffIDs
                Console.debug(
                    "image \(image.image.id): \(layers.count) layers, platform \(image.image.configuration.platform)"
                )
                for layer in layers { Console.debug("layer \(layer): stored\(unpacks ? " and unpacked" : "")") }
                Console.print(text(image))
            }
        }
        return 0
    }

    private static func text(_ loaded: LoadedImage) -> String {
        let replaced = loaded.replaced.map { name, id in
            "The image \(name.familiar) already exists, renaming the old one with ID \(id) to empty string\n"
        }
        let names = loaded.references.map { "Loaded image: \($0.familiar)\n" }
        return (replaced + (names.isEmpty ? ["Loaded image ID: \(loaded.image.id)\n"] : names)).joined()
    }
}

extension StandardStream {
    /// A descriptor of its own for the same stream, as owners close theirs.
    func duplicate() throws(SystemError) -> FileDescriptor {
        let own = FileDescriptor(owning: rawValue)
        let copy: FileDescriptor
        do throws(SystemError) { copy = try own.duplicate() } catch {
            _ = own.release()
            throw error
        }
        _ = own.release()
        return copy
    }
}
