import LinuxSystem
import OCI

/// A kernel's first two numbers: seccomp profiles make rules depend on them.
package struct KernelVersion: Comparable, Hashable, Sendable, CustomStringConvertible {
    package let major: Int
    package let minor: Int

    package init(_ major: Int, _ minor: Int) {
        self.major = major
        self.minor = minor
    }

    /// Reads a release as `uname -r` prints it: "6.18.44-generic" is 6.18.
    package init?(release: String) {
        let numbers = release.split(separator: ".", maxSplits: 2).map { $0.prefix { $0.isASCII && $0.isNumber } }
        guard numbers.count >= 2, let major = Int(numbers[0]), let minor = Int(numbers[1]) else { return nil }
        self.init(major, minor)
    }

    /// The kernel that runs now (/proc/sys/kernel/osrelease).
    package static func running() throws -> KernelVersion {
        let release = try Files.readText("/proc/sys/kernel/osrelease")
        guard let version = KernelVersion(release: release) else {
            throw EngineError(.unsupported, "reading the kernel's version: \"\(release)\" is none")
        }
        return version
    }

    package static func < (a: KernelVersion, b: KernelVersion) -> Bool { (a.major, a.minor) < (b.major, b.minor) }

    package var description: String { "\(major).\(minor)" }
}
