import OCI
import Runtime

/// `minirun oci state`
enum OCIState {
    static let verb = OCIVerb(
        "state",
        "output the state of a container",
        run: { call in
            let (state, status) = try call.runtime().inspect(try call.id())
            // Without a line feed, as runc.
            Console.print(state.document(status, owner: "").text(pretty: true))
            return 0
        }
    )
}
