import OCI

/// What an option's value means: how it is checked while parsing, named in the help and completed by a shell.
///
/// Values that docker checks only after parsing (devices, volumes, security options…) are `text` here; the verb parses
/// them with the types in `Values/`.
enum ValueKind: Sendable {
    case text
    case integer
    /// A size like 512m (`Sizes.bytes`).
    case bytes
    /// A size, or -1 for no limit.
    case bytesOrUnlimited
    case duration
    /// A number of CPUs (`CPUCount`).
    case cpus
    case environment
    case label
    case annotation
    case sysctl
    case ulimit
    case mount
    case extraHost
    case address
    case domain
    case filter
    /// Anything; a shell offers these words.
    case choice([String])
    case file
    case directory
    case image
    case container
    /// A container or an image.
    case object
    /// `SOURCE:DESTINATION`
    case volume
    case platform
    case network

    /// Fails, with docker's words, when the text is not such a value.
    func check(_ text: String) throws(ValueError) {
        switch self {
        case .text, .choice, .file, .directory, .image, .container, .object, .volume, .platform,
            .network:
            return
        case .integer: _ = try Scalars.integer(text)
        case .bytes: _ = try Sizes.bytes(text)
        case .bytesOrUnlimited: _ = try Sizes.bytesOrUnlimited(text)
        case .duration: _ = try Durations.nanoseconds(text)
        case .cpus: _ = try CPUCount.nano(text)
        case .environment: try Environment.check(text)
        case .label: _ = try KeyValue.label(text)
        case .annotation: return
        case .sysctl: _ = try KeyValue.sysctl(text)
        case .ulimit: _ = try Ulimit(parsing: text)
        case .mount: _ = try MountOption(parsing: text)
        case .extraHost: _ = try ExtraHost(parsing: text)
        case .address: _ = try IPAddress(parsing: text)
        case .domain: _ = try SearchDomain.checked(text)
        case .filter: _ = try KeyValue.filter(text)
        }
    }

    /// docker's word for one value of the kind.
    var word: String {
        switch self {
        case .integer: "int"
        case .bytes, .bytesOrUnlimited: "bytes"
        case .duration: "duration"
        case .cpus: "decimal"
        case .sysctl, .annotation: "map"
        case .ulimit: "ulimit"
        case .mount: "mount"
        case .filter: "filter"
        case .network: "network"
        default: "string"
        }
    }

    /// docker's word for an option that takes several.
    var listWord: String {
        switch self {
        case .sysctl, .annotation, .ulimit, .mount, .filter: word
        default: "list"
        }
    }
}
