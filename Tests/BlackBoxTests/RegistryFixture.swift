import LinuxSystem
import TestSupport
import Testing

extension RegistryServer {
    /// Puts a fixture into the registry, as skopeo does it, and returns the digest of its manifest.
    func publish(_ fixture: String, as name: String, _ options: String...) throws -> String {
        let source = "docker-archive:\(Fixtures.folder)/\(fixture)"
        let words = ["skopeo", "copy", "-q", "--dest-tls-verify=false"] + options
        let copied = try Subprocess.run(words + [source, "docker://\(self.name)/\(name)"], timeout: 120_000)
        #expect(copied.status == .exited(0), "\(copied.errorText)")
        return try digest(name)
    }

    func digest(_ name: String) throws -> String {
        try tool(
            "skopeo",
            "inspect",
            "--tls-verify=false",
            "--format={{.Digest}}",
            "docker://\(self.name)/\(name)"
        ).line
    }
}

extension Minirun {
    /// Docker Hub's names are looked for in this registry.
    func mirror(of registry: RegistryServer) throws -> [String: String] {
        let file = try write(
            "registries.toml",
            "[registry.\"docker.io\"]\nmirrors = [\"http://\(registry.name)\"]\nmirrors-only = true\n"
        )
        return ["MINIRUN_REGISTRIES": file]
    }
}

/// Each text after the one before it.
func expectInOrder(_ texts: [String], in text: Substring, _ location: SourceLocation = #_sourceLocation) {
    var rest = text
    for wanted in texts {
        guard let found = rest.firstRange(of: wanted) else {
            Issue.record("\(wanted) is missing, or too early, in\n\(text)", sourceLocation: location)
            return
        }
        rest = rest[found.upperBound...]
    }
}

extension String {
    /// The first line.
    var line: String { String(prefix { $0 != "\n" }) }
}
