import Images
import OCI

/// What decides the result of a step, by name: the key is its digest, and the names say later what made a step run
/// again.
struct CacheKey {
    private(set) var inputs: [(name: String, value: String)] = []

    /// - Parameter kind: what the step is: "run", "copy", "workdir".
    init(_ kind: String, parent: Digest?, epoch: Int64?) {
        self["step"] = kind
        self["parent"] = parent?.description ?? "scratch"
        self["epoch"] = epoch.map(String.init)
    }

    /// Adds an input; nil adds none.
    subscript(_ name: String) -> String? {
        get { inputs.last { $0.name == name }?.value }
        set { if let newValue { inputs.append((name, newValue)) } }
    }

    /// The same inputs give the same digest on every machine.
    var digest: Digest { SHA256Digest.of(json.bytes()) }

    var json: JSON { .array(inputs.map { .strings([$0.name, $0.value]) }) }
}
