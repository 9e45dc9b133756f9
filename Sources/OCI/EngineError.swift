/// An error that a person reads: one line, outermost verb first, cause last, and where they can do something about it a
/// hint for a second line.
package struct EngineError: Error, CustomStringConvertible, Sendable {
    /// What kind of failure it is; the command line makes exit codes of it and the API, later, HTTP states.
    package enum Kind: Sendable {
        /// A name, id or file that does not exist.
        case notFound
        /// A request that contradicts itself or the specification.
        case invalid
        /// Something in the way: a name that is taken, an image that is in use.
        case conflict
        /// Data that is not what its digest or its format says.
        case corrupt
        /// The kernel or this machine cannot do it.
        case unsupported
        /// The container's program does not exist (exit code 127).
        case commandNotFound
        /// The container's program cannot be executed (exit code 126).
        case commandNotExecutable
        /// Everything else.
        case failed
    }

    package let kind: Kind
    package let message: String
    package let hint: String?

    package init(_ kind: Kind, _ message: String, hint: String? = nil) {
        self.kind = kind
        self.message = message
        self.hint = hint
    }

    package var description: String { message }
}
