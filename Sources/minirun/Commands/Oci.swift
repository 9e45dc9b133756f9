/// `minirun oci`, for the help and the shells' completions: `Main` hands such a line to `OCIProgram` as it is, whose options are
/// read in another way.
enum OciCommand {
    static let verb = Verb(
        ["oci"],
        "Run a command of the OCI runtime, as minirun-oci does",
        usage: "[OPTIONS] COMMAND [ARG...]",
        arguments: .atLeast(0),
        interspersed: false,
        run: { parsed in OCIProgram.verb.run(parsed.positional) }
    )
}
