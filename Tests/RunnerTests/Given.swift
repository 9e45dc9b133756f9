import OCI
import Runner
import Runtime

/// A container on a made-up host, for golden tests.
struct Given {
    var configuration = ContainerConfiguration()
    var options = ContainerOptions()
    var passwd = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\nhomeless:x:7:7:::\n"
    var group = "root:x:0:\nwheel:x:10:root,app\nextra:x:2000:app\napp:x:1000:\n"

    init() { configuration.cmd = ["sh"] }

    var users: UserDatabase { UserDatabase(passwd: Array(passwd.utf8), group: Array(group.utf8)) }

    var host: ContainerSpec.Host {
        .init(hostname: "machine", processors: 2, capabilities: .all, kernel: KernelVersion(6, 12))
    }

    var description: ContainerSpec {
        ContainerSpec(
            id: String(repeating: "0123456789abcdef", count: 4),
            configuration: configuration,
            options: options,
            users: users,
            host: host,
            folder: "/store/containers/ID"
        )
    }

    func specification() throws -> RuntimeSpec { try description.specification() }
}
