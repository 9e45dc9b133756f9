/// Every verb of the OCI runtime, in the order in which the help shows them.
enum OCICommands {
    static let table: [OCIVerb] = [
        OCICheckpoint.checkpoint, OCICreate.verb, OCIDelete.verb, OCIEvents.verb, OCIExec.verb, OCIExplain.verb,
        OCIFeatures.verb, OCIKill.verb, OCIList.verb, OCIPause.verb, OCIPs.verb, OCICheckpoint.restore, OCIResume.verb,
        OCIRun.verb, OCISpec.verb, OCIStart.verb, OCIState.verb, OCIUpdate.verb,
    ]

    static func verb(_ name: String) -> OCIVerb? { table.first { $0.name == name } }
}
