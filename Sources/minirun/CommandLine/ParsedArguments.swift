import OCI

/// The options before the verb.
struct GlobalOptions: Sendable, Equatable {
    /// `--root`: where durable things live; nil for the default.
    var root: String?
    /// `--state`: where things live that a reboot ends; nil for the default.
    var state: String?
    /// `--storage-driver`: nil for what MINIRUN_STORAGE_DRIVER says, or the default.
    var storageDriver: String?
    /// `-D`.
    var debug = false
    /// `--log-level`: debug, info, warn, error or fatal.
    var logLevel = "info"
}

/// What was typed after a verb. Every value has passed its kind's check; the getters take long names without dashes,
/// and asking for one that the verb does not declare is a mistake in the program.
struct ParsedArguments: Sendable {
    /// The program and the verb as usage lines show them: "minirun container run".
    let path: String
    let globals: GlobalOptions
    let options: [Option]
    /// What was given, in order: the option's place in `options` and the text.
    private(set) var given: [(option: Int, text: String)] = []
    /// The arguments that are no options: IMAGE COMMAND ARG...
    var positional: [String] = []

    init(path: String, globals: GlobalOptions, options: [Option]) {
        self.path = path
        self.globals = globals
        self.options = options
    }

    mutating func add(_ option: Int, _ text: String) { given.append((option, text)) }

    /// Whether the option was typed, whatever its value.
    func isSet(_ name: String) -> Bool {
        let place = place(of: name)
        return given.contains { $0.option == place }
    }

    /// A flag's state: the last one typed, else its default.
    func flag(_ name: String) -> Bool {
        guard let text = value(name) else { return false }
        return (try? Scalars.boolean(text)) ?? false
    }

    /// The last value typed, else the default; nil where there is neither.
    func value(_ name: String) -> String? {
        let place = place(of: name)
        return given.last { $0.option == place }?.text ?? options[place].defaultValue
    }

    /// Every value typed, in order.
    func values(_ name: String) -> [String] {
        let place = place(of: name)
        return given.filter { $0.option == place }.map(\.text)
    }

    func integer(_ name: String) throws(ValueError) -> Int64? {
        guard let text = value(name) else { return nil }
        return try Scalars.integer(text)
    }

    /// A size in bytes; -1 only for options that allow "no limit".
    func bytes(_ name: String) throws(ValueError) -> Int64? {
        guard let text = value(name) else { return nil }
        return try Sizes.bytesOrUnlimited(text)
    }

    /// In nanoseconds.
    func duration(_ name: String) throws(ValueError) -> Int64? {
        guard let text = value(name) else { return nil }
        return try Durations.nanoseconds(text)
    }

    /// A number of CPUs in billionths.
    func nanoCPUs(_ name: String) throws(ValueError) -> Int64? {
        guard let text = value(name) else { return nil }
        return try CPUCount.nano(text)
    }

    /// `--platform`; an empty one is none, as with docker.
    func platform() throws(EngineError) -> Platform? {
        guard let text = value("platform"), !text.isEmpty else { return nil }
        return try Platform(text)
    }

    private func place(of name: String) -> Int {
        guard let place = options.firstIndex(where: { $0.name == name }) else {
            preconditionFailure("\(path) declares no option --\(name)")
        }
        return place
    }
}
