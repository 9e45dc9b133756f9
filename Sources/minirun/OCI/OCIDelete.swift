import Runtime

/// `minirun oci delete`
enum OCIDelete {
    static let verb = OCIVerb(
        "delete",
        "delete any resources held by the container often used with detached container",
        options: {
            [.flag("force", short: "f", "forcibly deletes the container if it is still running (uses SIGKILL)")]
        },
        run: { call in
            try call.runtime().delete(try call.id(), force: call.arguments.flag("force"))
            return 0
        }
    )
}
