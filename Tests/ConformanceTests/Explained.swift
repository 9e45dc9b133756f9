import TestSupport

extension Explained {
    /// Where two of the three agree the third is named as the odd one; where each is right in its way, all are.
    static let all: [Explained] = everywhere + mounts + process + groups + refusals

    private static let everywhere: [Explained] = [
        Explained("device_links core", odd: [.runc], "runc makes /dev/core only where there is a /proc/kcore"),
        Explained(
            "keyring",
            odd: [.crun, .runc, .minirun],
            "the session keyring's name and rights are the runtime's own"
        ),
        Explained("output", in: "session keyring", odd: [.crun, .runc, .minirun], "the rights on it, too"),
        Explained(
            "mount /sys data",
            odd: [.runc],
            "runc mounts with ro at once, which makes the superblock read-only where it is new"
        ),
        Explained(
            "writable /sys/kernel/mm/transparent_hugepage/enabled result",
            odd: [.crun, .runc],
            "follows from the read-only superblock: EROFS comes before EACCES"
        ),
    ]

    private static let mounts: [Explained] =
        [
            Explained(
                "path /t mode",
                in: "tmpcopyup",
                odd: [.crun],
                "crun copies the content, not the folder's own mode"
            ),
            Explained(
                "mount /t data",
                in: "tmpcopyup",
                odd: [.minirun],
                "minirun gives the folder's mode as an option"
            ),
            Explained(
                "path /deep",
                in: "bind on a path that is not there",
                odd: [.crun],
                isWrong: true,
                "crun makes folders with mode 1755"
            ),
            Explained("mount /shared", in: "propagation of binds", odd: [.crun], isWrong: true, privateRoot),
            Explained("mount /rshared", in: "propagation of binds", odd: [.crun], isWrong: true, privateRoot),
            Explained("mount /unbindable", in: "propagation of binds", odd: [.crun], isWrong: true, privateRoot),
            Explained(
                "writable /sys/fs/cgroup",
                in: "control groups, read-only",
                odd: [.crun, .runc],
                isWrong: true,
                "crun and runc leave the tmpfs itself writable"
            ),
            Explained(
                "mount /sys/fs/cgroup options",
                in: "control groups, read-only",
                odd: [.crun, .runc],
                isWrong: true,
                "crun and runc leave the tmpfs itself writable"
            ),
            Explained("mount /sys/fs/cgroup data", in: "control groups, read-only", odd: [.crun, .runc], ownTmpfs),
            Explained("*source", in: "control groups, read-only", odd: [.crun, .runc], ownTmpfs),
            Explained(
                "*options",
                in: "proc read-only, hidepid",
                odd: [.crun],
                isWrong: true,
                "crun drops nosuid, nodev and noexec of proc where it makes a path below read-only"
            ),
            Explained(
                "mount /",
                in: "propagation of the root: shared",
                odd: [.runc],
                isWrong: true,
                "runc 1.1 sets the propagation before it binds the root"
            ),
            Explained("mount /dev/console", in: "terminal", odd: [.crun], hostsTerminal),
            Explained("mount /dev/console", in: "terminal of a size", odd: [.crun], hostsTerminal),
        ]
        + ["null", "zero", "full", "tty", "random", "urandom"].map {
            Explained(
                "mount /dev/\($0) options",
                odd: [.crun],
                "crun adds nosuid and noexec to the nodes that it binds"
            )
        }

    private static let privateRoot = "crun makes all private when the root's propagation is not given"
    private static let ownTmpfs = "the tmpfs that holds the v1 hierarchies is the runtime's own"
    private static let hostsTerminal =
        "crun binds the host's view of the terminal, without the options of the container's"

    private static let process: [Explained] =
        [
            Explained("personality", in: "personality", odd: [.runc], isWrong: true, "newer than runc 1.1"),
            Explained("domainname", in: "names", odd: [.runc], isWrong: true, "newer than runc 1.1"),
            Explained("sysctls kernel.domainname", in: "names", odd: [.runc], isWrong: true, "newer than runc 1.1"),
            Explained(
                "terminals",
                in: "terminal",
                odd: [.crun, .runc],
                isWrong: true,
                "crun run does not pass the caller's size on, runc while the program is running already"
            ),
            Explained(
                "terminals",
                in: "terminal of a size",
                odd: [.crun, .runc],
                "crun takes consoleSize, runc the size of the caller's terminal"
            ),
        ]
        + [
            "exec", "exec of a user in a folder", "exec into what may gain nothing", "exec into a user namespace",
        ].flatMap { scenario in
            ["no_new_privs", "pgid", "sid", "rlimits nofile", "ids", "environment", "writable"].map {
                Explained($0, in: scenario, odd: [.crun], isWrong: true, execByWords)
            }
        }

    private static let execByWords =
        "crun 1.8 gives an exec without a process file neither the configuration's user nor its limits, environment and "
        + "no_new_privs, and no session"

    private static let groups: [Explained] = [
        Explained(
            "devices.list",
            in: "no resources",
            odd: [.crun],
            isWrong: true,
            "crun applies no device rules at all where there are no resources"
        ),
        Explained("devices.list", odd: [.crun, .runc], "runc allows net/tun (10:200), crun the console (5:1)"),
        Explained("path /dev/net/tun", in: "devices", odd: [.runc], "runc 1.1 allows net/tun without being asked"),
        Explained(
            "pids.max",
            in: "pids limit of zero",
            odd: [.minirun],
            "0 is a limit since runtime-spec 1.3; one process, the first, must be let in"
        ),
        Explained("cgroup", in: "the host's view of control groups", odd: [.crun], noUnified),
        Explained("cgroup", in: "a mount namespace only", odd: [.crun], noUnified),
    ]

    private static let noUnified = "crun works where it sees no unified hierarchy, so it makes no group there"

    private static let refusals: [Explained] = [
        Explained("refused", in: "bind through a dangling link", odd: [.crun], "crun does not make a link's target"),
        Explained(
            "refused",
            in: "root behind a link",
            odd: [.runc],
            "runc insists on a root without links in its path"
        ),
        Explained("refused", in: "a namespace twice", odd: [.crun], isWrong: true, "crun takes it once"),
    ]
}
