import Runner

/// `key=value` options.
struct KeyValue: Sendable, Equatable {
    let key: String
    let value: String

    init(_ key: String, _ value: String) {
        self.key = key
        self.value = value
    }

    /// `--annotation`, `--build-arg` with a value: split at the first "=", no value is an empty one.
    static func plain(_ text: String) -> KeyValue {
        let (key, value) = text.cut("=")
        return KeyValue(key, value ?? "")
    }

    /// `--label key[=value]`.
    static func label(_ text: String) throws(ValueError) -> KeyValue {
        let (name, value) = text.cut("=")
        let key = String(name.drop { $0 == " " || $0 == "\t" })
        if key.isEmpty { throw ValueError("invalid label '\(text)': empty name") }
        if key.contains(where: { $0 == " " || $0 == "\t" }) { throw ValueError("label '\(key)' contains whitespaces") }
        return KeyValue(name, value ?? "")
    }

    /// `--sysctl key=value`, only keys that the kernel keeps per namespace.
    static func sysctl(_ text: String) throws(ValueError) -> KeyValue {
        let (key, value) = text.cut("=")
        guard let value, DockerDefaults.isNamespaced(key) else {
            throw ValueError("sysctl '\(text)' is not allowed")
        }
        return KeyValue(key, value)
    }

    /// `--filter name=value`; the name is lower case in the result.
    static func filter(_ text: String) throws(ValueError) -> KeyValue {
        if text.isEmpty { return KeyValue("", "") }
        let (name, value) = text.cut("=")
        guard let value else { throw ValueError("bad format of filter (expected name=value)") }
        return KeyValue(name.trimmed.lowercased(), value.trimmed)
    }
}
