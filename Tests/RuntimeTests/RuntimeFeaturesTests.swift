import OCI
import Testing

@testable import Runtime

@Suite("Features") struct RuntimeFeaturesTests {
    private let document = RuntimeFeatures.document(version: "0.1.0")

    @Test func keysAndTheirOrder() {
        #expect(
            document.object?.map(\.key) == [
                "ociVersionMin", "ociVersionMax", "hooks", "mountOptions", "linux", "annotations",
                "potentiallyUnsafeConfigAnnotations",
            ]
        )
        #expect(
            document["linux"]?.object?.map(\.key) == [
                "namespaces", "capabilities", "cgroup", "seccomp", "apparmor", "selinux", "intelRdt", "memoryPolicy",
                "mountExtensions", "netDevices",
            ]
        )
        #expect(document["ociVersionMin"] == "1.0.0" && document["ociVersionMax"] == "1.3.0")
        #expect(document["annotations"]?["io.minirun.version"] == "0.1.0")
    }

    @Test func listsAreSorted() {
        let linux = document["linux"]
        #expect(
            linux?["namespaces"]?.strings == ["cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"]
        )
        for list in [
            document["mountOptions"], linux?["seccomp"]?["actions"], linux?["seccomp"]?["operators"],
            linux?["seccomp"]?["archs"], linux?["seccomp"]?["knownFlags"], linux?["memoryPolicy"]?["modes"],
            linux?["memoryPolicy"]?["flags"],
        ] {
            let texts = list?.strings ?? []
            #expect(!texts.isEmpty && texts == texts.sorted())
        }
        #expect(linux?["capabilities"]?.strings?.first == "CAP_CHOWN")
    }

    /// What the document names must be recognized (features-linux.md#seccomp).
    @Test func everyArchitectureCanBeFiltered() throws {
        let names = document["linux"]?["seccomp"]?["archs"]?.strings ?? []
        #expect(names.contains("SCMP_ARCH_X86_64") && names.contains("SCMP_ARCH_AARCH64"))
        for name in names {
            let architecture = try #require(SeccompConfiguration.Architecture(rawValue: name))
            // Filters of both byte orders in one are impossible.
            guard architecture.isLittleEndian else { continue }
            let configuration = SeccompConfiguration(defaultAction: .allow, architectures: [architecture])
            #expect(throws: Never.self) { try SeccompFilter.compile(configuration) }
        }
    }
}

extension SeccompConfiguration.Architecture {
    fileprivate var isLittleEndian: Bool {
        switch self {
        case .mips, .mips64, .mips64n32, .ppc, .ppc64, .s390, .s390x, .parisc, .parisc64, .m68k, .sheb: false
        default: true
        }
    }
}
