extension RuntimeSpec.Mount {
    /// The options that a runtime takes itself (config.md#linux-mount-options, and what runc and crun add), in the order of
    /// the alphabet. All others are the file system's own.
    package static let knownOptions: [String] = [
        "async", "atime", "bind", "copy-symlink", "defaults", "dest-nofollow", "dev", "diratime", "dirsync", "exec",
        "idmap", "iversion", "lazytime", "loud", "mand", "noatime", "nodev", "nodiratime", "noexec", "noiversion",
        "nolazytime", "nomand", "norelatime", "nostrictatime", "nosuid", "nosymfollow", "private", "rasync", "ratime",
        "rbind", "rdev", "rdiratime", "rdirsync", "relatime", "remount", "rexec", "ridmap", "rmand", "rnoatime",
        "rnodev", "rnodiratime", "rnoexec", "rnomand", "rnorelatime", "rnostrictatime", "rnosuid", "rnosymfollow", "ro",
        "rprivate", "rrelatime", "rro", "rrw", "rshared", "rslave", "rstrictatime", "rsuid", "rsymfollow", "rsync",
        "runbindable", "rw", "shared", "silent", "slave", "src-nofollow", "strictatime", "suid", "symfollow", "sync",
        "tmpcopyup", "unbindable",
    ]

    private static let known = Set(knownOptions)

    /// Whether the ids of the source are shown as others. crun also takes mappings as the option's value, "idmap=uids=0-1-10".
    package var isIDMapped: Bool {
        !uidMappings.isEmpty || !gidMappings.isEmpty || options.contains { RuntimeSpec.Mount.isIDMap($0) }
    }

    /// The options that go to the file system as they are.
    package var fileSystemOptions: [String] {
        options.filter { !RuntimeSpec.Mount.known.contains($0) && !RuntimeSpec.Mount.isIDMap($0) }
    }

    private static func isIDMap(_ option: String) -> Bool {
        option == "idmap" || option == "ridmap" || option.hasPrefix("idmap=") || option.hasPrefix("ridmap=")
    }
}
