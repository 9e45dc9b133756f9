import LinuxSystem
import Runtime

/// `minirun oci start`
enum OCIStart {
    static let verb = OCIVerb(
        "start",
        "executes the user defined process in a created container",
        run: { call in
            let socket = Process.environment("NOTIFY_SOCKET").flatMap { $0.isEmpty ? nil : $0 }
            try call.runtime().start(try call.id(), notifySocket: socket)
            return 0
        }
    )
}
