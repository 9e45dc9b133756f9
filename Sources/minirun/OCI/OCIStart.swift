import Runtime

/// `minirun oci start`
enum OCIStart {
    static let verb = OCIVerb(
        "start",
        "executes the user defined process in a created container",
        run: { call in
            try call.runtime().start(try call.id())
            return 0
        }
    )
}
