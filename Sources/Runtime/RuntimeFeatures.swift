import CLinux
import OCI

/// What this runtime can do, for callers that ask before they hand it a configuration (runtime-spec, features.md).
///
/// Whether the host can do it, too, is another question, which the document does not answer.
package enum RuntimeFeatures {
    /// The `features` document, with its keys in the order of runc's.
    ///
    /// - Parameter version: The program's, for an annotation.
    package static func document(version: String? = nil) -> JSON {
        [
            "ociVersionMin": "1.0.0",
            "ociVersionMax": .string(RuntimeSpec.version),
            "hooks": .strings(hooks),
            "mountOptions": .strings(RuntimeSpec.Mount.knownOptions),
            "linux": linux,
            "annotations": .sortedStrings(annotations(version)),
            "potentiallyUnsafeConfigAnnotations": .strings(unsafeAnnotations),
        ]
    }

    /// In the order in which they run.
    private static let hooks = [
        "prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop",
    ]

    /// Annotations of a configuration that change what the runtime does; a "." at the end stands for all that begin so.
    private static let unsafeAnnotations = ["org.systemd.property.", "run.oci."]

    private static var linux: JSON {
        [
            "namespaces": .strings(RuntimeSpec.Namespace.allCases.map(\.rawValue).sorted()),
            "capabilities": .strings(CapabilitySet.all.names),
            "cgroup": ["v1": true, "v2": true, "systemd": true, "systemdUser": true, "rdma": true],
            "seccomp": seccomp,
            "apparmor": ["enabled": true],
            "selinux": ["enabled": true],
            "intelRdt": ["enabled": true, "schemata": true, "monitoring": true],
            "memoryPolicy": [
                "modes": .strings(RuntimeSpec.MemoryPolicy.modes.keys.sorted()),
                "flags": .strings(RuntimeSpec.MemoryPolicy.flagBits.keys.sorted()),
            ],
            "mountExtensions": ["idmap": ["enabled": true]],
            "netDevices": ["enabled": true],
        ]
    }

    /// Every kernel that the runtime works on has every flag.
    private static var seccomp: JSON {
        let flags = JSON.strings(SeccompConfiguration.Flag.allCases.map(\.rawValue).sorted())
        // The specification has names that are newer than the libseccomp which is linked in.
        let architectures = SeccompConfiguration.Architecture.allCases.filter {
            seccomp_arch_resolve_name($0.libseccompName) != 0
        }
        return [
            "enabled": true,
            "actions": .strings(SeccompConfiguration.Action.allCases.map(\.rawValue).sorted()),
            "operators": .strings(SeccompConfiguration.Operator.allCases.map(\.rawValue).sorted()),
            "archs": .strings(architectures.map(\.rawValue).sorted()),
            "knownFlags": flags,
            "supportedFlags": flags,
        ]
    }

    private static func annotations(_ version: String?) -> [String: String] {
        var annotations: [String: String] = [:]
        if let version { annotations["io.minirun.version"] = version }
        if let version = libseccompVersion { annotations["io.github.seccomp.libseccomp.version"] = version }
        return annotations
    }

    /// "2.5.4"
    package static var libseccompVersion: String? {
        seccomp_version().map { "\($0.pointee.major).\($0.pointee.minor).\($0.pointee.micro)" }
    }
}
