import Build
import LinuxSystem
import OCI
import Runner

/// `run .`: a folder with a Dockerfile where an image's name is expected.
enum FolderImage {
    /// Builds the folder and returns the image's id; nil for anything that is no such folder. A name in the store wins over
    /// a folder of the same name, unless it reads as a path.
    static func built(_ text: String, _ engine: Engine, _ parsed: ParsedArguments) throws -> String? {
        let isPath = text == "." || text == ".." || text.hasPrefix("/") || text.hasPrefix("./") || text.hasPrefix("../")
        guard isPath, FileStatus.exists("\(text)/Dockerfile") else { return nil }
        var request = BuildRequest(context: Files.absolute(text))
        request.platform = try parsed.value("platform").map { text throws(EngineError) in try Platform(text) }
        return try BuildCommand.build(request, engine, parsed.flag("quiet") ? .quiet : .auto).id.description
    }
}
