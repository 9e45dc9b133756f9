import OCI

/// A seccomp profile in docker's form: rules that hold only for some capabilities, architectures and kernels.
///
/// `configuration(for:)` makes the runtime specification's form of it, which is about one container on one machine.
package struct SeccompProfile: Equatable, Sendable {
    /// Everything but the rules and, where the profile has a map of architectures, the architectures.
    package var base: SeccompConfiguration
    package var architectureMap: [ArchitectureEntry]
    package var rules: [ConditionalRule]

    /// On a machine of this architecture, calls of `subArchitectures` are filtered too.
    package struct ArchitectureEntry: Equatable, Sendable {
        package var architecture: SeccompConfiguration.Architecture
        package var subArchitectures: [SeccompConfiguration.Architecture]
    }

    package struct ConditionalRule: Equatable, Sendable {
        package var rule: SeccompConfiguration.Rule
        /// Every part of it must hold.
        package var includes = Condition()
        /// No part of it may hold.
        package var excludes = Condition()
    }

    /// The parts of a condition; an empty one asks nothing.
    package struct Condition: Equatable, Sendable {
        package var capabilities: [String] = []
        /// By libseccomp's names: amd64, x86, arm64.
        package var architectures: [String] = []
        package var minimumKernel: KernelVersion?
    }

    /// What a profile's conditions ask about.
    package struct Target: Hashable, Sendable {
        /// The container's bounding set.
        package var capabilities: CapabilitySet
        package var kernel: KernelVersion
        package var architecture: SeccompConfiguration.Architecture

        package init(
            capabilities: CapabilitySet,
            kernel: KernelVersion,
            architecture: SeccompConfiguration.Architecture = .native
        ) {
            self.capabilities = capabilities
            self.kernel = kernel
            self.architecture = architecture
        }
    }

    /// The rules that hold for `target`, in the profile's order.
    package func configuration(for target: Target) -> SeccompConfiguration {
        var result = base
        if let entry = architectureMap.first(where: { $0.architecture == target.architecture }) {
            result.architectures = [entry.architecture] + entry.subArchitectures
        }
        result.syscalls = rules.filter { $0.holds(for: target) }.map(\.rule)
        return result
    }
}

extension SeccompProfile.ConditionalRule {
    func holds(for target: SeccompProfile.Target) -> Bool {
        let architecture = target.architecture.dockerName
        if !includes.architectures.isEmpty, !includes.architectures.contains(architecture) { return false }
        if !includes.capabilities.allSatisfy(target.capabilities.contains(named:)) { return false }
        if let minimum = includes.minimumKernel, target.kernel < minimum { return false }
        if excludes.architectures.contains(architecture) { return false }
        if excludes.capabilities.contains(where: target.capabilities.contains(named:)) { return false }
        if let minimum = excludes.minimumKernel, target.kernel >= minimum { return false }
        return true
    }
}

extension SeccompConfiguration.Architecture {
    /// The machine's own.
    package static var native: SeccompConfiguration.Architecture {
        #if arch(x86_64)
            .x86_64
        #elseif arch(arm64)
            .aarch64
        #elseif arch(arm)
            .arm
        #elseif arch(i386)
            .x86
        #elseif arch(riscv64)
            .riscv64
        #elseif arch(powerpc64le)
            .ppc64le
        #elseif arch(s390x)
            .s390x
        #else
            #error("which seccomp architecture is this?")
        #endif
    }

    /// The name in the conditions of docker's profiles.
    var dockerName: String {
        switch self {
        case .x86_64: "amd64"
        case .aarch64: "arm64"
        case .mipsel: "mipsel"
        case .mipsel64n32: "mips3l64n32"
        default: libseccompName
        }
    }

    /// The name by which libseccomp resolves the architecture: the specification's in small letters.
    var libseccompName: String { String(rawValue.dropFirst("SCMP_ARCH_".utf8.count)).lowercased() }
}
