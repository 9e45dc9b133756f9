extension RuntimeSpec {
    /// Programs that run at points of a container's life, each list in its order (config.md#posix-platform-hooks).
    package struct Hooks: Sendable, Equatable {
        /// Deprecated: as `createRuntime`, and before it.
        package var prestart: [Hook] = []
        /// Outside, when the namespaces exist, before the new root is entered.
        package var createRuntime: [Hook] = []
        /// In the container's namespaces, before the new root is entered; the path is the host's.
        package var createContainer: [Hook] = []
        /// Inside, right before the program.
        package var startContainer: [Hook] = []
        /// Outside, after the program was started.
        package var poststart: [Hook] = []
        /// Outside, after the container was deleted.
        package var poststop: [Hook] = []

        package init() {}

        package var isEmpty: Bool { self == Hooks() }
    }

    /// One program; the container's state is its standard input.
    package struct Hook: Sendable, Equatable {
        /// Absolute.
        package var path: String
        /// All of argv, with argv[0]; empty where the configuration has none.
        package var args: [String]
        package var env: [String]
        /// Seconds until it is killed, more than 0; nil for no limit.
        package var timeout: Int?

        /// As many as there is a number for.
        package var timeoutMilliseconds: Int? {
            timeout.map { seconds in
                let (product, overflow) = seconds.multipliedReportingOverflow(by: 1000)
                return overflow ? .max : product
            }
        }

        package init(path: String, args: [String] = [], env: [String] = [], timeout: Int? = nil) {
            self.path = path
            self.args = args
            self.env = env
            self.timeout = timeout
        }
    }
}
