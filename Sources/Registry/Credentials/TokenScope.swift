/// What a token is asked for: `repository:library/python:pull,push` (distribution, docs/spec/auth/scope.md).
package struct TokenScope: Hashable, Sendable, CustomStringConvertible {
    /// "repository", "registry", and whatever else a registry has.
    package let type: String
    /// May hold colons: a host with its port.
    package let name: String
    /// Sorted, each once.
    package let actions: [String]

    package init(type: String, name: String, actions: some Sequence<String>) {
        self.type = type
        self.name = name
        self.actions = Set(actions).sorted()
    }

    package static func repository(_ path: String, _ operation: RegistryOperation) -> TokenScope {
        TokenScope(type: "repository", name: path, actions: operation == .push ? ["pull", "push"] : ["pull"])
    }

    /// One scope of a challenge's parameter; nil where it has not the three parts.
    package init?(_ text: some StringProtocol) {
        guard let first = text.firstIndex(of: ":"), let last = text.lastIndex(of: ":"), first < last else { return nil }
        let type = text[..<first]
        let actions = Substring(text[text.index(after: last)...])
        let name = text[text.index(after: first)..<last]
        guard !type.isEmpty, !name.isEmpty else { return nil }
        self.init(
            type: String(type),
            name: String(name),
            actions: actions.split(separator: ",").map { String($0) }
        )
    }

    /// The scopes of a challenge's parameter, between blanks. What is none is left out.
    package static func parse(_ text: String) -> [TokenScope] {
        text.split(separator: " ").compactMap { TokenScope($0) }
    }

    package var description: String { "\(type):\(name):\(actions.joined(separator: ","))" }

    /// Whether a token with this scope is enough for what the other asks.
    package func covers(_ other: TokenScope) -> Bool {
        guard type == other.type, name == other.name else { return false }
        return actions.contains("*") || other.actions.allSatisfy(actions.contains)
    }
}

extension Sequence<TokenScope> {
    /// One scope for each resource, with all actions that are asked of it; in the order of their types and names, so that
    /// the same needs give the same token.
    package var merged: [TokenScope] {
        var actions: [String: [String: Set<String>]] = [:]
        for scope in self { actions[scope.type, default: [:]][scope.name, default: []].formUnion(scope.actions) }
        return actions.sorted { $0.key < $1.key }.flatMap { type, names in
            names.sorted { $0.key < $1.key }.map { TokenScope(type: type, name: $0.key, actions: $0.value) }
        }
    }
}
