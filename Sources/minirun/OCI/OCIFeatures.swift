import OCI
import Runtime

/// `minirun oci features`
enum OCIFeatures {
    static let verb = OCIVerb(
        "features",
        "show the enabled features",
        usage: "",
        arguments: .none,
        run: { _ in
            let document = RuntimeFeatures.document(version: Version.number)
            Console.print(String(decoding: document.bytes(indent: 4), as: UTF8.self) + "\n")
            return 0
        }
    )
}
