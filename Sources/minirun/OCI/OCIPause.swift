import Runtime

/// `minirun oci pause`
enum OCIPause {
    static let verb = OCIVerb(
        "pause",
        "pause suspends all processes inside the container",
        run: { call in
            try call.runtime().pause(try call.id())
            return 0
        }
    )
}
