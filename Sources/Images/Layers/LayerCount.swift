import LinuxSystem
import OCI

/// How many layers an image may have, so that a container can stand on them.
///
/// Overlayfs takes 500 folders below the one that is written to (`OVL_MAX_STACK`); an image that has so many goes without the
/// engine's own layer between it and the container (`InitLayer`). Before Linux 6.7 all of them have to be named in the one page of
/// options that mount(2) takes, as /proc/self/fd/N: there it is 222.
package enum LayerCount {
    /// What overlayfs mounts as lower folders.
    private static let lowerFolders = 500

    /// The kernel that runs now says it.
    package static let limit = mountable(kernel: (try? Files.readText("/proc/sys/kernel/osrelease", limit: 256)) ?? "")

    /// - Parameter release: as `uname -r` prints it; what is none counts as an old one.
    package static func mountable(kernel release: String) -> Int {
        let numbers = release.split(separator: ".", maxSplits: 2).prefix(2).map { Int($0.prefix { $0.isNumber }) ?? 0 }
        let isNew = numbers.count == 2 && (numbers[0], numbers[1]) >= (6, 7)
        return isNew ? lowerFolders : namedFolders - 1
    }

    /// As many as one page names, whatever their numbers: "lowerdir=", each with a colon, and what the upper one takes.
    private static var namedFolders: Int {
        let rest = "lowerdir=,upperdir=/proc/self/fd/999,workdir=/proc/self/fd/999,volatile".utf8.count
        return (4095 - rest) / "/proc/self/fd/999:".utf8.count
    }

    /// Throws where an image of so many layers cannot be mounted.
    package static func require(_ layers: Int) throws(EngineError) {
        guard layers > limit else { return }
        throw EngineError(
            .unsupported,
            "an image of \(layers) layers cannot be mounted: \(limit) are the most that overlayfs takes here",
            hint: "make fewer of them: join RUN steps, or take what is needed into a new stage with COPY --from"
        )
    }
}
