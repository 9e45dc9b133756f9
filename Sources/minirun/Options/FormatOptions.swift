import LinuxSystem

/// Options that several verbs share.
enum FormatOptions {
    /// `--format` of verbs that print a table.
    static let table = """
        Format output using a custom template:
        'table':            Print output in table format with column headers (default)
        'table TEMPLATE':   Print output in table format using the given Go template
        'json':             Print in JSON format
        'TEMPLATE':         Print output using the given Go template.
        """

    /// `--format` of verbs that print an object.
    static let object = """
        Format output using a custom template:
        'json':             Print in JSON format
        'TEMPLATE':         Print output using the given Go template.
        """

    /// `--platform` of verbs that bring an image in.
    static func platform(_ help: String = "Set platform if server is multi-platform capable") -> Option {
        .value("platform", .platform, help, default: Process.environment("DOCKER_DEFAULT_PLATFORM"))
    }
}
