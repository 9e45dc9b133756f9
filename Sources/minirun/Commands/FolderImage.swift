import Build
import Images
import LinuxSystem
import OCI
import Runner

/// `run .`: a folder with a Dockerfile where an image's name is expected.
enum FolderImage {
    /// Builds the folder and returns the image's id; nil for anything that is no such folder. An image of that name in the
    /// store comes first, unless the text can only be a path.
    static func built(_ text: String, _ engine: Engine, _ parsed: ParsedArguments) throws -> String? {
        let hasDockerfile = FileStatus.exists("\(text)/Dockerfile")
        if isPath(text) {
            guard hasDockerfile else {
                throw EngineError(.notFound, "there is no folder \(text) with a Dockerfile")
            }
        } else {
            // The look at the store comes last: it is for the rare name that is a folder's as well.
            guard hasDockerfile, ImageLocation.parse(text) == nil, (try? engine.images.resolve(text)) == nil else {
                return nil
            }
        }
        var request = BuildRequest(context: Files.absolute(text))
        request.platform = try parsed.platform()
        let began = Clock.realtime
        let result: BuildResult
        do { result = try BuildCommand.build(request, engine, parsed.flag("quiet") ? .quiet : .auto) } catch {
            // The display has said so; stderr may have nobody who reads it.
            if let error = error as? BuildInterrupted { SignalDescriptor.die(of: error.signal) }
            throw error
        }
        try Installation.keepLimits(engine, since: began)
        return result.id.description
    }

    /// Whether no image can have that name.
    static func isPath(_ text: String) -> Bool {
        text == "." || text == ".." || text.isAbsolutePath || text.hasPrefix("./") || text.hasPrefix("../")
            || text.hasSuffix("/")
    }
}
