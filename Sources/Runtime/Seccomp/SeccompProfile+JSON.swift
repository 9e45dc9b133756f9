import OCI

extension SeccompProfile {
    /// Reads a profile file (`--security-opt seccomp=FILE`): docker's form with `archMap`, `includes` and `excludes`, the
    /// older one with `name` instead of `names`, or the runtime specification's `linux.seccomp`.
    ///
    /// Nil where the profile has neither a default action nor rules: docker and runc take that for "no filter".
    package static func read(_ bytes: [UInt8]) throws(EngineError) -> SeccompProfile? {
        let json: JSON
        do {
            json = try JSON.parse(bytes)
        } catch {
            throw EngineError(.invalid, "invalid seccomp profile: \(error.message)")
        }
        let reader = try JSONReader(json, "seccomp profile")
        let rules = try reader.list("syscalls")
        if rules.isEmpty, try (reader.string("defaultAction") ?? "").isEmpty { return nil }
        var profile = SeccompProfile(base: try SeccompConfiguration(header: reader), architectureMap: [], rules: [])
        for element in try reader.list("archMap") {
            profile.architectureMap.append(try ArchitectureEntry(element))
        }
        if !profile.architectureMap.isEmpty, !profile.base.architectures.isEmpty {
            throw reader.error("both \"architectures\" and \"archMap\"; use one of them")
        }
        for element in rules { profile.rules.append(try ConditionalRule(element)) }
        return profile
    }
}

extension SeccompProfile.ArchitectureEntry {
    init(_ reader: JSONReader) throws(EngineError) {
        guard let own = try reader.choice("architecture", of: SeccompConfiguration.Architecture.self) else {
            throw reader.error("\"architecture\" is missing")
        }
        architecture = own
        subArchitectures = try reader.choices("subArchitectures", of: SeccompConfiguration.Architecture.self) ?? []
    }
}

extension SeccompProfile.ConditionalRule {
    init(_ reader: JSONReader) throws(EngineError) {
        var names = try reader.strings("names") ?? []
        if let name = try reader.string("name"), !name.isEmpty {
            guard names.isEmpty else { throw reader.error("both \"name\" and \"names\"; use one of them") }
            names = [name]
        }
        rule = try SeccompConfiguration.Rule(reader, names: names)
        if let condition = try reader.member("includes") { includes = try SeccompProfile.Condition(condition) }
        if let condition = try reader.member("excludes") { excludes = try SeccompProfile.Condition(condition) }
    }
}

extension SeccompProfile.Condition {
    init(_ reader: JSONReader) throws(EngineError) {
        capabilities = try reader.strings("caps") ?? []
        architectures = try reader.strings("arches") ?? []
        guard let text = try reader.string("minKernel"), !text.isEmpty else { return }
        let numbers = text.split(separator: ".", omittingEmptySubsequences: false)
        guard numbers.count == 2, let major = UInt8(numbers[0]), let minor = UInt8(numbers[1]), major > 0 || minor > 0
        else {
            throw reader.error("\"minKernel\" is \"\(text)\", not a version such as \"4.8\"")
        }
        minimumKernel = KernelVersion(Int(major), Int(minor))
    }
}
