import OCI

/// `minirun oci checkpoint` and `restore`: refused. Their options are known, because callers try them to learn what is there.
enum OCICheckpoint {
    static let checkpoint = OCIVerb(
        "checkpoint",
        "checkpoint a running container (not supported)",
        options: {
            options + [
                .flag("leave-running", "leave the process running after checkpointing"),
                .value("page-server", .text, "ADDRESS:PORT of the page server"),
                .flag("pre-dump", "dump container's memory information only"),
                .value("status-fd", .integer, "criu writes \\0 to this FD once lazy-pages is ready"),
                .value("parent-path", .file, "path for previous criu image files in pre-dump"),
            ]
        },
        run: { _ in throw unsupported("checkpoint") }
    )

    static let restore = OCIVerb(
        "restore",
        "restore a container from a previous checkpoint (not supported)",
        options: {
            options + OCICreate.options + [
                .flag("detach", short: "d", "detach from the container's process"),
                .flag("no-subreaper", "disable the use of the subreaper used to reap reparented processes"),
                .value("lsm-profile", .text, "LSM profile to be used during restore"),
                .value("lsm-mount-context", .text, "LSM mount context to be used during restore"),
                .flag("tcp-close", "close open TCP connections"),
            ]
        },
        run: { _ in throw unsupported("restore") }
    )

    private static let options: [Option] = [
        .value("image-path", .directory, "path for saving criu image files"),
        .value("work-path", .directory, "path for saving work files and logs"),
        .flag("tcp-established", "allow open tcp connections"),
        .flag("ext-unix-sk", "allow external unix sockets"),
        .flag("shell-job", "allow shell jobs"),
        .flag("lazy-pages", "use userfaultfd to lazily handle memory pages"),
        .flag("file-locks", "handle file locks"),
        .value("manage-cgroups-mode", .text, "cgroups mode: soft|full|strict|ignore"),
        .list("empty-ns", .text, "create a namespace, but don't restore its properties"),
        .flag("auto-dedup", "enable auto deduplication of memory images"),
    ]

    private static func unsupported(_ verb: String) -> EngineError {
        EngineError(.unsupported, "\(verb) is not supported: minirun does not work with CRIU")
    }
}
