import CLinux
import LinuxSystem
import OCI

/// An OCI runtime: ours, or one of those that callers already trust.
package struct OCIRuntime: Sendable {
    /// The versions that differences were looked at for. Another version is held to every test.
    package enum Kind: String, Sendable, CaseIterable { case minirun, crun, runc, other }

    package let kind: Kind
    /// The words that start it here.
    package let words: [String]
    /// The program that its processes run.
    package let program: String
    /// What `--version` says.
    package let version: String

    /// The one that `MINIRUN_OCI` names, a path; without it the built `minirun oci`.
    package static let underTest: OCIRuntime = {
        // What a container's parent leaves behind comes to us, as it comes to conmon and to containerd's shim.
        linux_become_subreaper()
        return OCIRuntime(Process.environment("MINIRUN_OCI") ?? BlackBox.program)
    }()

    /// Debian's, where they are installed.
    package static let crun = OCIRuntime("/usr/bin/crun")
    package static let runc = OCIRuntime(FileStatus.exists("/usr/bin/runc") ? "/usr/bin/runc" : "/usr/sbin/runc")

    package init(_ path: String) {
        let name = path.split(separator: "/").last.map(String.init) ?? path
        program = path
        switch name {
        case "minirun": words = [path, "oci"]
        case let name where name.hasPrefix("crun"): words = OCIRuntime.withoutUnified + [path]
        default: words = [path]
        }
        let answer = try? Subprocess.run(words + ["--version"], environment: BlackBox.environment(), timeout: 10_000)
        version = answer?.outputText.split(separator: "\n").first.map(String.init) ?? "does not start"
        kind =
            name.hasPrefix("minirun")
            ? .minirun
            : version.hasPrefix("crun version 1.8.") ? .crun : version.hasPrefix("runc version 1.1.") ? .runc : .other
    }

    /// crun refuses a machine that has both versions of control groups; where it sees no unified hierarchy it works.
    private static let withoutUnified: [String] = {
        let unified = "/sys/fs/cgroup/unified"
        guard HostProcesses.mounts(below: unified).contains(unified) else { return [] }
        let script = "umount \(unified) && exec \"$@\""
        return ["unshare", "-m", "--propagation", "slave", "sh", "-c", script, "sh"]
    }()
}
