extension RuntimeSpec.Linux {
    /// The file below /proc/sys that a setting's name stands for. The first of "." and "/" in it is the separator, and the
    /// other one then belongs to a name: "net.ipv4.conf.eno2/100.rp_filter" and "net/ipv4/conf/eno2.100/rp_filter" are the
    /// same (sysctl.d(5)).
    package static func sysctlPath(_ name: String) -> String {
        guard let separator = name.first(where: { $0 == "." || $0 == "/" }), separator == "." else { return name }
        return String(name.map { $0 == "." ? "/" : $0 == "/" ? "." : $0 })
    }
}

extension RuntimeSpec {
    /// /proc/sys is only in part the namespaces': a setting that is not would be the host's.
    func validateSettings() throws(EngineError) {
        for name in linux.sysctl.keys.sorted() {
            let path = Linux.sysctlPath(name)
            let parts = path.split(separator: "/", omittingEmptySubsequences: false)
            // What follows looks at how a path begins, so it must not lead back up.
            guard !parts.contains(where: { $0.isEmpty || $0 == "." || $0 == ".." }) else {
                throw EngineError(.invalid, "sysctl \"\(name)\" is not the name of a setting")
            }
            try validate(setting: path, name)
        }
    }

    private func validate(setting path: String, _ name: String) throws(EngineError) {
        if RuntimeSpec.ipcSettings.contains(path) || path.hasPrefix("fs/mqueue/") {
            guard linux.has(.ipc) else {
                throw EngineError(.invalid, "sysctl \"\(name)\" is not allowed in the hosts ipc namespace")
            }
        } else if path.hasPrefix("net/") {
            guard linux.has(.network) else {
                throw EngineError(.invalid, "sysctl \"\(name)\" not allowed in host network namespace")
            }
        } else if path.hasPrefix("user/") {
            // Limits on namespaces: without one of its own the container would set the host's.
            guard linux.has(.user) else {
                throw EngineError(.invalid, "sysctl \"\(name)\" is not allowed without a user namespace")
            }
        } else if path == "kernel/hostname", linux.has(.uts) {
            throw EngineError(.invalid, "sysctl \"\(name)\" is not allowed: the field \"hostname\" sets it")
        } else if path != "kernel/domainname" || !linux.has(.uts) {
            throw EngineError(.invalid, "sysctl \"\(name)\" is not in a separate kernel namespace")
        } else if let domainname, domainname != linux.sysctl[name] {
            throw EngineError(.invalid, "sysctl \"\(name)\" conflicts with the field \"domainname\"")
        }
    }

    private static let ipcSettings: Set<String> = [
        "kernel/msgmax", "kernel/msgmnb", "kernel/msgmni", "kernel/sem", "kernel/shmall", "kernel/shmmax",
        "kernel/shmmni", "kernel/shm_rmid_forced",
    ]
}
