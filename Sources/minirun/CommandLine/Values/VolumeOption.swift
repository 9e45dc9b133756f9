import OCI
import Runner

import LinuxSystem

/// `-v src:dst[:options]`, `-v dst`.
struct VolumeOption: Sendable, Equatable {
    enum Source: Sendable, Equatable {
        /// `-v /data`: a new volume without a name.
        case anonymous
        /// A named volume.
        case volume(String)
        /// A path of the host, absolute; docker creates a missing one as a folder of root's.
        case path(String)
    }

    /// SELinux relabelling, `z` and `Z`.
    enum Relabel: Sendable { case shared, `private` }

    let source: Source
    let target: String
    private(set) var readOnly = false
    private(set) var propagation: String?
    private(set) var noCopy = false
    private(set) var relabel: Relabel?

    static let propagations = ["private", "rprivate", "shared", "rshared", "slave", "rslave"]

    init(parsing text: String) throws(ValueError) {
        if text.isEmpty { throw ValueError("invalid empty volume spec") }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        if parts.contains("") { throw ValueError("invalid spec: \(text): empty section between colons") }
        if parts.count > 3 { throw ValueError("invalid spec: \(text): too many colons") }
        target = parts.count == 1 ? parts[0] : parts[1]
        source = parts.count == 1 ? .anonymous : try VolumeOption.source(parts[0])
        let wrong = "invalid volume specification: '\(text)'"
        guard target.isAbsolutePath else {
            throw ValueError("\(wrong): invalid mount path: '\(target)' mount path must be absolute")
        }
        if Files.absolute(target) == "/" {
            throw ValueError("\(wrong): invalid specification: destination can't be '/'")
        }
        if parts.count == 3 { try setOptions(parts[2]) }
    }

    /// A path begins with "/" or "."; everything else names a volume. What the shell did not expand, `~/`, is neither: here
    /// it would be a folder of that name below the working folder.
    private static func source(_ text: String) throws(ValueError) -> Source {
        if text.isAbsolutePath || text.hasPrefix(".") { return .path(Files.absolute(text)) }
        guard ContainerName.isValid(text) else {
            throw ValueError(
                "create \(text): \(text.goQuoted) includes invalid characters for a local volume name, only "
                    + "\"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. "
                    + "If you intended to pass a host directory, use absolute path"
            )
        }
        return .volume(text)
    }

    private mutating func setOptions(_ text: String) throws(ValueError) {
        var seen: [String] = []
        for option in text.split(separator: ",", omittingEmptySubsequences: false).map(String.init) {
            let family: String
            switch option {
            case "ro", "rw": (readOnly, family) = (option == "ro", "mode")
            case "z", "Z": (relabel, family) = (option == "z" ? .shared : .private, "label")
            case "nocopy": (noCopy, family) = (true, option)
            case "consistent", "cached", "delegated", "default": family = "consistency"
            case _ where VolumeOption.propagations.contains(option): (propagation, family) = (option, "propagation")
            default: throw ValueError("invalid mode: \(text)")
            }
            if seen.contains(family) { throw ValueError("invalid mode: \(text)") }
            seen.append(family)
        }
    }
}

/// `--tmpfs dst[:options]`; the options are mount(8)'s for tmpfs: `size=64m`, `mode=1777`, `noexec`…
struct TmpfsOption: Sendable, Equatable {
    let target: String
    let options: [String]

    init(parsing text: String) throws(ValueError) {
        let (target, options) = text.cut(":")
        self.target = target
        self.options = (options ?? "").split(separator: ",").map(String.init)
        if !target.isAbsolutePath {
            throw ValueError("invalid tmpfs mount: invalid mount path: '\(target)' mount path must be absolute")
        }
        if Files.absolute(target) == "/" { throw ValueError("invalid specification: destination can't be '/'") }
    }
}
