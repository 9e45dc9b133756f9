/// The options of the verbs on registries.
enum RegistryVerbOptions {
    static func login() -> [Option] {
        [
            .value(
                "password",
                short: "p",
                .text,
                "Password or Personal Access Token (PAT), or \"-\" to read from stdin"
            ),
            .flag("password-stdin", "Take the Password or Personal Access Token (PAT) from stdin"),
            .value("username", short: "u", .text, "Username"),
        ]
    }

    static func search() -> [Option] {
        [
            .list("filter", short: "f", .filter, "Filter output based on conditions provided"),
            .value("format", .text, "Pretty-print search using a Go template"),
            .value("limit", .integer, "Max number of search results"),
            .flag("no-trunc", "Don't truncate output"),
        ]
    }
}
