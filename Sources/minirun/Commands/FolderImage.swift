import Runner

/// `run .`: a folder with a Dockerfile where an image's name is expected.
enum FolderImage {
    /// Builds the folder and returns the image's id; nil for anything that is no such folder.
    static func built(_ text: String, _ engine: Engine, _ parsed: ParsedArguments) throws -> String? { nil }
}
