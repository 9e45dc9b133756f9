import OCI
import Runtime

/// `minirun oci run`
enum OCIRun {
    static let verb = OCIVerb(
        "run",
        "create and run a container",
        failure: .named,
        options: {
            OCICreate.options + [
                .flag("detach", short: "d", "detach from the container's process"),
                .flag("keep", "do not delete the container after it exits"),
                .flag("no-subreaper", "disable the use of the subreaper used to reap reparented processes"),
            ]
        },
        run: run
    )

    private static func run(_ call: OCICall) throws -> Int32 {
        let arguments = call.arguments
        return try call.runtime(starts: true).run(
            try OCICreate.request(call),
            detached: arguments.flag("detach"),
            keep: arguments.flag("keep"),
            isSubreaper: !arguments.flag("no-subreaper")
        )
    }
}
