import OCI
import Runner
import Runtime
import Testing

/// CVE-2026-94603, CVE-2026-121885, CVE-2026-53488: what an image says of itself changes nothing of how a container is shut in.
@Suite struct ImageMetadataTests {
    private struct Generator: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ (state >> 33)
        }
    }

    /// Keys that engines have obeyed, and that look as if one might.
    private static let keys = [
        "containerd.io/restart.loguri", "containerd.io/restart.status", "containerd.io/restart.policy",
        "io.containers.autoupdate", "PODMAN_SYSTEMD_UNIT", "io.podman.annotations.privileged",
        "io.podman.annotations.seccomp",
        "io.podman.annotations.apparmor", "io.podman.annotations.label", "io.podman.annotations.userns",
        "io.podman.checkpoint",
        "io.podman.annotations.checkpoint.runtime.name", "io.container.capabilities", "run", "RUN", "INSTALL",
        "org.criu.config",
        "org.criu", "run.oci.keep_original_groups", "run.oci.seccomp.receiver", "run.oci.systemd.force_cgroup_v1",
        "run.oci.handler", "org.systemd.property.DeviceAllow", "io.kubernetes.cri-o.userns-mode",
        "io.kubernetes.cri-o.ShmSize", "io.kubernetes.container.apparmor",
        "org.opencontainers.runc.exec.isolated-cpu-affinity-transition",
        "cdi.k8s.io/x", "com.docker.security", "seccomp", "privileged", "nvidia.com/gpu", "a",
    ]
    private static let values = [
        "", "true", "1", "binary:///bin/sh?x", "unconfined", "host", "nested", "file:///etc/shadow", "/dev/sda", "runc",
        "../..",
        "{\"privileged\":true}", "keep-id",
    ]
    private static let env = [
        "SECRET", "SECRET*", "=x", "", "container=host", "NOTIFY_SOCKET=/run/n", "LISTEN_FDS=3", "LD_PRELOAD=/evil.so",
        "_CONTAINERS_USERNS_CONFIGURED=1", "LIBPOD_INIT=1", "MINIRUN_ROOT=/", "MINIRUN_SHIM=/evil",
        "NVIDIA_VISIBLE_DEVICES=all",
        "XDG_RUNTIME_DIR=/r", "HOME=/x", "PATH=", "TERM=x", "A=\u{1b}[2J",
    ]

    private static func object(_ generator: inout Generator) -> JSON {
        .object(
            (0..<Int.random(in: 1...4, using: &generator)).map { _ in
                (keys.randomElement(using: &generator) ?? "", .string(values.randomElement(using: &generator) ?? ""))
            }
        )
    }

    /// A configuration in JSON, with keys that no specification has as well.
    private static func document(_ generator: inout Generator) -> JSON {
        let odd: JSON = [
            "Privileged": true, "CapAdd": ["ALL"], "NetworkMode": "host", "SecurityOpt": ["seccomp=unconfined"],
        ]
        var config: [(key: String, value: JSON)] = [
            ("Cmd", ["prog"]), ("Labels", object(&generator)), ("Annotations", object(&generator)), ("HostConfig", odd),
            ("Privileged", true), ("NetworkDisabled", false), ("MacAddress", "02:00:00:00:00:01"), ("Hostname", "host"),
            ("Domainname", "d"), ("Tty", true), ("OpenStdin", true), ("ArgsEscaped", true), ("CapAdd", ["SYS_ADMIN"]),
            ("StopSignal", .string(values.randomElement(using: &generator) ?? "")), ("OnBuild", ["RUN x"]),
            ("Healthcheck", ["Test": ["CMD", "/evil"], "Interval": 1]), ("ExposedPorts", ["1/tcp": [:]]),
        ]
        config.append(("Env", .strings((0..<5).map { _ in env.randomElement(using: &generator) ?? "" })))
        config.shuffle(using: &generator)
        return [
            "config": .object(config), "container_config": odd, "annotations": object(&generator), "host_config": odd,
            "os.features": ["x"], "rootfs": ["type": "layers", "diff_ids": []], "created": "9999-12-31T23:59:59Z",
            "history": [
                ["created_by": .string(values.randomElement(using: &generator) ?? ""), "comment": "checkpoint"]
            ],
            "author": .string(values.randomElement(using: &generator) ?? ""), "moby.buildkit.cache.v0": "x",
        ]
    }

    /// All of the specification but what the program is told: its environment.
    private static func isolation(_ configuration: ContainerConfiguration, _ options: ContainerOptions) throws -> JSON {
        var given = Given()
        given.configuration = configuration
        given.options = options
        var spec = try given.specification()
        spec.process.env = []
        return spec.json
    }

    static let commands: [String] = ["plain", "hardened", "user", "privileged"]

    @Test(arguments: commands) func nothingOfAnImageChangesTheIsolation(_ command: String) throws {
        var options = ContainerOptions()
        options.command = ["prog"]
        switch command {
        case "hardened":
            options.readOnlyRoot = true
            options.noNewPrivileges = true
            options.droppedCapabilities = ["ALL"]
            options.annotations = ["own": "1"]
        case "user": options.user = "1000:1000"
        case "privileged": options.privileged = true
        default: break
        }
        var plain = ContainerConfiguration()
        plain.cmd = ["prog"]
        let expected = try Self.isolation(plain, options)
        var generator = Generator(state: 7)
        for round in 0..<2500 {
            let document = Self.document(&generator)
            let configuration = try ImageConfiguration(document).config
            #expect(try Self.isolation(configuration, options) == expected, "round \(round): \(document.text())")
        }
    }

    @Test func anEnvironmentWithoutValuesTakesNone() throws {
        var given = Given()
        given.configuration.env = ["PWD", "HOME*", "=x", "", "PATH*"]
        let environment = try given.specification().process.env
        #expect(environment.allSatisfy { !$0.hasPrefix("PWD=") })
        #expect(
            Set(environment).isSubset(of: [
                "PWD", "HOME*", "=x", "", "PATH*", DockerPath.entry, "HOSTNAME=0123456789ab", "HOME=/root",
            ])
        )
    }

    private enum DockerPath {
        static let entry = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    }
}
