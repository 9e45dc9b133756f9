/// Every verb of the OCI runtime, in the order in which the help shows them.
enum OCICommands {
    static let table: [OCIVerb] = [
        OCICreate.verb, OCIDelete.verb, OCIExec.verb, OCIKill.verb, OCIRun.verb, OCIStart.verb, OCIState.verb,
    ]

    static func verb(_ name: String) -> OCIVerb? { table.first { $0.name == name } }
}
