import LinuxSystem
import OCI
import Runtime

/// `minirun oci explain`
enum OCIExplain {
    static let verb = OCIVerb(
        "explain",
        "print every step that create and start would take, and take none",
        usage: "[<container-id>]",
        arguments: .atMost(1),
        options: {
            [
                .value("bundle", short: "b", .directory, "path to the root of the bundle directory"),
                .flag("json", "print it as JSON"),
                .optional("explain", .choice(["text", "json"]), bare: "text", shown: "[=json]", "how to print it"),
                .flag("no-pivot", "as for create"),
                .flag("no-new-keyring", "as for create"),
            ]
        },
        run: run
    )

    private static func run(_ call: OCICall) throws -> Int32 {
        let bundle = call.path("bundle") ?? call.directory
        var request = CreateRequest(id: call.arguments.positional.first ?? "ID", bundle: bundle)
        request.noPivot = call.arguments.flag("no-pivot")
        request.newKeyring = !call.arguments.flag("no-new-keyring")
        let explanation = try call.runtime().explain(request)
        if call.arguments.flag("json") || call.arguments.value("explain") == "json" {
            Console.print(explanation.json.text(pretty: true) + "\n")
        } else {
            Console.print(explanation.text)
        }
        return 0
    }
}
