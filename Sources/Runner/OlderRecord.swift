import OCI

/// What a container's record of the first format has in place of options: what `inspect` shows of it. It can be looked at and
/// removed; what it does not say would be missing from a new start.
struct OlderRecord: Sendable {
    let words: [String]
    let config: JSON
    let hostConfig: JSON
    let mounts: JSON
    /// What of them other parts ask for.
    let options: ContainerOptions

    init(_ json: JSON) {
        words = [json["path"]?.string ?? ""] + (json["arguments"]?.strings ?? [])
        config = json["config"] ?? .null
        hostConfig = json["hostConfig"] ?? .null
        mounts = json["mounts"] ?? []
        var options = ContainerOptions()
        options.labels = json["labels"]?.stringMap ?? [:]
        options.terminal = json["terminal"]?.bool ?? false
        options.network = json["network"]?.string.flatMap(ContainerOptions.Network.init) ?? .none
        options.removeAtEnd = json["removeAtEnd"]?.bool ?? false
        options.stopSignal = config["StopSignal"]?.string
        options.stopTimeout = config["StopTimeout"]?.int
        self.options = options
    }
}
