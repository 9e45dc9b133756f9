extension RuntimeSpec.Mount {
    /// The options that the runtime takes itself (config.md#linux-mount-options, and crun's `copy-symlink`), in the order of the
    /// alphabet. All others are the file system's own.
    package static let knownOptions: [String] = [
        "async", "atime", "bind", "copy-symlink", "defaults", "dev", "diratime", "dirsync", "exec", "idmap", "iversion",
        "lazytime", "loud", "mand", "noatime", "nodev", "nodiratime", "noexec", "noiversion", "nolazytime", "nomand",
        "norelatime", "nostrictatime", "nosuid", "nosymfollow", "private", "ratime", "rbind", "rdev", "rdiratime",
        "relatime", "remount", "rexec", "ridmap", "rnoatime", "rnodev", "rnodiratime", "rnoexec", "rnorelatime",
        "rnostrictatime", "rnosuid", "rnosymfollow", "ro", "rprivate", "rrelatime", "rro", "rrw", "rshared", "rslave",
        "rstrictatime", "rsuid", "rsymfollow", "runbindable", "rw", "shared", "silent", "slave", "strictatime", "suid",
        "symfollow", "sync", "tmpcopyup", "unbindable",
    ]

    private static let known = Set(knownOptions)

    /// Whether the ids of the source are shown as others.
    package var isIDMapped: Bool {
        !uidMappings.isEmpty || !gidMappings.isEmpty || options.contains { $0 == "idmap" || $0 == "ridmap" }
    }

    /// The options that go to the file system as they are.
    package var fileSystemOptions: [String] {
        options.filter { !$0.isEmpty && !RuntimeSpec.Mount.known.contains($0) }
    }
}
