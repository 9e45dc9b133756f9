import OCI

/// fstab-like options of a mount, sorted into what the kernel takes them as (runtime-spec, config.md#linux-mount-options).
package struct MountOptions: Equatable, Sendable {
    package var set: MountAttributes = []
    package var clear: MountAttributes = []
    /// `rro` and the like: for submounts too.
    package var recursiveSet: MountAttributes = []
    package var recursiveClear: MountAttributes = []
    package var bind = false
    package var recursiveBind = false
    /// The mount is there already and gets other attributes.
    package var remount = false
    package var propagation: MountPropagation?
    package var propagationRecursive = false
    package var copiesUp = false
    /// `idmap`: ids are mapped as the mount's own mappings say, else as the container's.
    package var idMapped = false
    package var idMappedRecursive = false
    /// crun's `copy-symlink`.
    package var ownLink = false
    /// Flags of the file system itself, as fsconfig(2) has them; a bind has none.
    package var superblock: [String] = []
    /// What the file system itself gets, "size=64m,mode=1777".
    package var data: [String] = []

    package init(_ options: [String]) throws(EngineError) {
        for option in options {
            if let (on, attribute) = MountOptions.attributes[option] {
                // As mount(8) has it: an access time that is not asked for is not changed.
                if option == "atime" || option == "diratime" { continue }
                MountOptions.apply(on, attribute, &set, &clear)
            } else if option.first == "r", let (on, attribute) = MountOptions.attributes[String(option.dropFirst())] {
                MountOptions.apply(on, attribute, &recursiveSet, &recursiveClear)
            } else {
                applyWord(option)
            }
        }
    }

    private static func apply(
        _ on: Bool,
        _ attribute: MountAttributes,
        _ set: inout MountAttributes,
        _ clear: inout MountAttributes
    ) {
        // atime is a field of several bits: its values exclude each other, and none of them is relatime.
        if attribute.isSubset(of: .accessTimeField) {
            set.subtract(.accessTimeField)
            clear.insert(.accessTimeField)
            if on { set.insert(attribute) }
        } else if on {
            set.insert(attribute)
            clear.remove(attribute)
        } else {
            set.remove(attribute)
            clear.insert(attribute)
        }
    }

    private mutating func applyWord(_ option: String) {
        if let propagation = MountPropagation(rawValue: option) {
            (self.propagation, propagationRecursive) = (propagation, false)
            return
        }
        if option.first == "r", let propagation = MountPropagation(rawValue: String(option.dropFirst())) {
            (self.propagation, propagationRecursive) = (propagation, true)
            return
        }
        switch option {
        case "bind": bind = true
        case "rbind": (bind, recursiveBind) = (true, true)
        case "remount": remount = true
        case "tmpcopyup": copiesUp = true
        case "idmap": idMapped = true
        case "ridmap": (idMapped, idMappedRecursive) = (true, true)
        case "copy-symlink": ownLink = true
        case "sync", "dirsync", "lazytime", "mand": superblock.append(option)
        // The opposites of the above are what a new mount has; the rest says nothing to a new mount.
        case "async", "nolazytime", "nomand":
            superblock.removeAll { "no\($0)" == option || option == "async" && $0 == "sync" }
        case "defaults", "loud", "silent", "iversion", "noiversion", "rnorelatime", "rnostrictatime", "norelatime",
            "nostrictatime", "":
            break
        default: data.append(option)
        }
    }

    private static let attributes: [String: (Bool, MountAttributes)] = [
        "ro": (true, .readOnly), "rw": (false, .readOnly), "nosuid": (true, .noSetuid), "suid": (false, .noSetuid),
        "nodev": (true, .noDevices), "dev": (false, .noDevices), "noexec": (true, .noExecute),
        "exec": (false, .noExecute),
        "noatime": (true, .noAccessTime), "atime": (false, .noAccessTime), "relatime": (false, .noAccessTime),
        "strictatime": (true, .strictAccessTime), "nodiratime": (true, .noFolderAccessTime),
        "diratime": (false, .noFolderAccessTime), "nosymfollow": (true, .noSymbolicLinks),
        "symfollow": (false, .noSymbolicLinks),
    ]
}
