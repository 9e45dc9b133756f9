import OCI

/// fstab-like options of a mount, sorted into what the kernel takes them as (runtime-spec, config.md#linux-mount-options).
package struct MountOptions: Equatable, Sendable {
    package var set: MountAttributes = []
    package var clear: MountAttributes = []
    /// `rro` and the like: for submounts too.
    package var recursiveSet: MountAttributes = []
    package var bind = false
    package var recursiveBind = false
    package var propagation: MountPropagation?
    /// What the file system itself gets, "size=64m,mode=1777".
    package var data: [String] = []

    package init(_ options: [String]) throws(EngineError) {
        for option in options {
            if let (on, attribute) = MountOptions.attributes[option] {
                apply(on, attribute)
            } else if let (on, attribute) = option.first == "r"
                ? MountOptions.attributes[String(option.dropFirst())] : nil
            {
                guard on else { throw EngineError(.unsupported, "mount option \"\(option)\" is not supported") }
                recursiveSet.insert(attribute)
            } else {
                applyWord(option)
            }
        }
    }

    private mutating func apply(_ on: Bool, _ attribute: MountAttributes) {
        // atime is a field of several bits: its values exclude each other.
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
        switch option {
        case "bind": bind = true
        case "rbind": (bind, recursiveBind) = (true, true)
        case "private", "rprivate": propagation = .private
        case "slave", "rslave": propagation = .slave
        case "shared", "rshared": propagation = .shared
        case "unbindable", "runbindable": propagation = .unbindable
        case "defaults", "async", "nomand", "norelatime", "nostrictatime", "loud", "noiversion": break
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
