import LinuxSystem
import OCI

/// Docker's content trust, signatures of Notary's kind. Nothing here checks or makes any: who asks for it is refused.
enum ContentTrust {
    /// `--disable-content-trust`, which is how things are, unless DOCKER_CONTENT_TRUST asks for more.
    static func option(_ help: String) -> Option {
        let isWanted = (try? Scalars.boolean(Process.environment("DOCKER_CONTENT_TRUST") ?? "")) ?? false
        return .flag("disable-content-trust", help, default: !isWanted)
    }

    static func check(_ parsed: ParsedArguments) throws(EngineError) {
        guard !parsed.flag("disable-content-trust") else { return }
        throw EngineError(
            .unsupported,
            "content trust is not supported: no signature would be checked or made",
            hint: "unset DOCKER_CONTENT_TRUST, or give --disable-content-trust"
        )
    }
}
