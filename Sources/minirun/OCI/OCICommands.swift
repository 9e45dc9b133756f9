/// Every verb of the OCI runtime, in the order in which the help shows them.
enum OCICommands {
    static var table: [OCIVerb] { makers.map { $0() } }

    /// The verb of that name. Those behind it in the table are not made: a command line needs one.
    static func verb(_ name: String) -> OCIVerb? {
        for make in makers {
            let verb = make()
            if verb.name == name { return verb }
        }
        return nil
    }

    private static let makers: [@Sendable () -> OCIVerb] = [
        { OCICheckpoint.checkpoint }, { OCICreate.verb }, { OCIDelete.verb }, { OCIEvents.verb }, { OCIExec.verb },
        { OCIExplain.verb }, { OCIFeatures.verb }, { OCIKill.verb }, { OCIList.verb }, { OCIPause.verb },
        { OCIPs.verb }, { OCICheckpoint.restore }, { OCIResume.verb }, { OCIRun.verb }, { OCISpec.verb },
        { OCIStart.verb }, { OCIState.verb }, { OCIUpdate.verb },
    ]
}
