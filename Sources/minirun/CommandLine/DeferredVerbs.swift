/// docker's verbs that are to come. (Those of a swarm, of plugins, of contexts and of signatures are not known.)
enum DeferredVerbs {
    private static let words: Set<String> = [
        "attach", "commit", "compose", "cp", "diff", "events", "exec", "export", "logs", "network",
        "pause",
        "port", "rename", "restart", "stats", "top", "unpause", "update", "volume",
    ]
    private static let inGroups: [String: Set<String>] = [
        "builder": ["create", "du", "inspect", "ls", "rm", "stop", "use"],
        "buildx": ["bake", "create", "du", "history", "imagetools", "inspect", "ls", "rm", "stop", "use", "version"],
        "container": words.subtracting(["compose", "events", "network", "volume"]),
        "image": [],
        "manifest": ["annotate", "create", "push", "rm"],
        "system": ["dial-stdio", "events"],
    ]

    /// - Parameter group: nil for the words that follow the program's name.
    static func contains(_ name: String, in group: String?) -> Bool {
        guard let group else { return words.contains(name) }
        return inGroups[group]?.contains(name) == true
    }
}
