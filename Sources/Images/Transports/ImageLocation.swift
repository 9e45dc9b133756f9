import CLinux
import LinuxSystem
import OCI

/// An image outside the store: `oci:DIR[:NAME]`, `oci-archive:FILE[:NAME]`, `docker-archive:FILE[:NAME]`, as skopeo and
/// podman write it (containers-transports(5)).
package struct ImageLocation: Equatable, Sendable, CustomStringConvertible {
    package enum Kind: String, CaseIterable, Sendable {
        case layout = "oci"
        case layoutArchive = "oci-archive"
        case dockerArchive = "docker-archive"
    }

    package let kind: Kind
    package let path: String
    /// Which of the images there: its name, or `@N` for the Nth from 0. nil where there is only one.
    package let name: String?

    package init(_ kind: Kind, path: String, name: String? = nil) {
        self.kind = kind
        self.path = path
        self.name = name
    }

    /// Reads a location; nil for anything else. `oci:latest` could be an image's name as well, so something without a
    /// slash is a location only if it exists.
    package static func parse(_ text: String) -> ImageLocation? {
        guard let colon = text.firstIndex(of: ":"), let kind = Kind(rawValue: String(text[..<colon])) else {
            return nil
        }
        let rest = String(text[text.index(after: colon)...])
        if rest.isEmpty { return nil }
        if FileStatus.exists(rest) { return ImageLocation(kind, path: rest) }
        let parts = rest.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts[0].contains("/") || FileStatus.exists(parts[0]) else { return nil }
        return ImageLocation(kind, path: parts[0], name: parts.count == 2 && !parts[1].isEmpty ? parts[1] : nil)
    }

    package var description: String { "\(kind.rawValue):\(path)" + (name.map { ":\($0)" } ?? "") }

    /// Opens the image: its manifest and its configuration are read and verified, its layers are not. No store is
    /// needed.
    /// - Parameters:
    ///   - spool: where a compressed archive is unpacked to, in a file without a name.
    ///   - limits: how large that may become.
    package func open(
        platform: Platform? = nil,
        spool: String = "/var/tmp",
        limits: ExpansionLimits = .default
    ) throws -> TransportImage {
        let archive = try ImageArchive.open(path: path, spool: spool, limits: limits)
        switch (kind, archive) {
        case (.layout, .layout(let layout)), (.layoutArchive, .layout(let layout)):
            return try layout.image(named: name, platform: platform)
        case (.dockerArchive, .docker(let docker)): return try docker.image(named: name)
        // Docker's own archives are both.
        case (.dockerArchive, .layout(let layout)):
            guard let docker = try DockerArchive(layout.files) else { break }
            return try docker.image(named: name)
        case (_, .docker), (_, .legacy): break
        }
        throw EngineError(.invalid, "\(path) is not what \(kind.rawValue): stands for")
    }
}

/// What images came in.
enum ImageArchive {
    case layout(OCILayout)
    case docker(DockerArchive)
    case legacy(LegacyArchive)

    var files: any ArchiveFiles {
        switch self {
        case .layout(let layout): layout.files
        case .docker(let docker): docker.files
        case .legacy(let legacy): legacy.files
        }
    }

    static func open(path: String, spool: String, limits: ExpansionLimits) throws -> ImageArchive {
        try open(FileDescriptor.open(path, O_RDONLY | O_NONBLOCK), path: path, spool: spool, limits: limits)
    }

    /// Finds out what an open file or folder holds. A layout counts before docker's manifest.json beside it: it has the
    /// manifests that belong to the images.
    static func open(_ file: consuming FileDescriptor, path: String, spool: String, limits: ExpansionLimits) throws
        -> ImageArchive
    {
        let files: any ArchiveFiles
        if try file.status().kind == .directory {
            files = FolderFiles(path: path)
        } else {
            _ = linux_fcntl(file.raw, F_SETFL, 0)
            files = try TarFiles.open(owning: file, spoolingIn: spool, limits: limits, description: path)
        }
        if let layout = try OCILayout(files) { return .layout(layout) }
        if let docker = try DockerArchive(files) { return .docker(docker) }
        if let legacy = try LegacyArchive(files) { return .legacy(legacy) }
        throw EngineError(.invalid, "\(path) is no image archive: neither index.json nor manifest.json is in it")
    }
}
