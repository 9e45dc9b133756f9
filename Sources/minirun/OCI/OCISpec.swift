import CLinux
import LinuxSystem
import OCI
import Runtime

/// `minirun oci spec`
enum OCISpec {
    static let verb = OCIVerb(
        "spec",
        "create a new specification file",
        usage: "",
        arguments: .none,
        options: {
            [
                .value("bundle", short: "b", .directory, "path to the root of the bundle directory"),
                .value("file", short: "f", .file, "the file to write (crun's spelling)", default: "config.json"),
                .flag("rootless", "generate a configuration for a rootless container"),
            ]
        },
        run: run
    )

    private static func run(_ call: OCICall) throws -> Int32 {
        let name = call.arguments.value("file") ?? "config.json"
        let path = Files.absolute(name, from: call.path("bundle") ?? call.directory)
        guard !FileStatus.exists(path) else {
            throw EngineError(.conflict, "File \(name) exists. Remove it first")
        }
        let spec = RuntimeSpec.example(
            rootless: call.arguments.flag("rootless"),
            uid: geteuid(),
            gid: getegid(),
            cgroupNamespace: try CgroupHierarchy.current().mode == .unified
        )
        // Without a line feed, as runc.
        try Files.create(path, spec.json.bytesIndentedByTabs(), mode: FileModes.forCaller(0o666))
        return 0
    }
}
