import CLinux
import LinuxSystem
import OCI

extension ContainerRuntime {
    /// What a plan needs to know beside the specification, for `create` and for `exec` alike.
    func context(for spec: inout RuntimeSpec, id: String) throws -> LaunchContext {
        var context = LaunchContext(root: .folder(spec.root.path))
        context.inheritsStreams = true
        context.findsHome = true
        context.findsProgram = true
        context.unbindsProcessors = true
        context.clearsAttributes = true
        context.opensSources = Process.isRoot
        context.setsGroups = UserNamespace.setsGroups(spec)
        context.labels = try LinuxSecurityModule.labels(spec.process)
        context.seccomp = try filter(spec)
        if let flags = context.seccomp?.flags { debug("seccomp filter flags: \(flags)") }
        if !context.setsGroups, !UserNamespace.keepsGroups(spec), !spec.process.user.additionalGids.isEmpty {
            throw EngineError(.invalid, "cannot set any additional groups in a rootless container")
        }
        grant(&spec.process.capabilities)
        return context
    }

    private func filter(_ spec: RuntimeSpec) throws -> SeccompFilter? {
        guard let configuration = spec.linux.seccomp else { return nil }
        if let filterCache { return try SeccompCache(directory: filterCache).filter(for: configuration) }
        return try SeccompFilter.compile(configuration)
    }

    /// Takes out what cannot be granted, with a warning for each (config.md#linux-process).
    private func grant(_ capabilities: inout RuntimeSpec.Capabilities) {
        let available = Rootless.isCaller ? CapabilitySet.all : CapabilitySet.bounding()
        var unknown: [String] = []
        func known(_ names: [String]) -> [String] {
            names.filter { name in
                let isKnown = (try? CapabilitySet(name: name)).map(available.isSuperset) ?? false
                if !isKnown, !unknown.contains(name) { unknown.append(name) }
                return isKnown
            }
        }
        capabilities.bounding = known(capabilities.bounding)
        capabilities.effective = known(capabilities.effective)
        capabilities.permitted = known(capabilities.permitted)
        capabilities.inheritable = known(capabilities.inheritable)
        capabilities.ambient = known(capabilities.ambient)
        if !unknown.isEmpty {
            warn("ignoring unknown or unavailable capabilities: [\(unknown.sorted().joined(separator: " "))]")
        }
        // The kernel's own rule, capabilities(7): both permitted and inheritable.
        let (permitted, inheritable) = (Set(capabilities.permitted), Set(capabilities.inheritable))
        capabilities.ambient = capabilities.ambient.filter { name in
            let isGranted = permitted.contains(name) && inheritable.contains(name)
            if !isGranted { warn("can't raise ambient capability \(name): operation not permitted") }
            return isGranted
        }
    }
}

/// AppArmor and SELinux, where the kernel has them.
enum LinuxSecurityModule {
    static var hasAppArmor: Bool {
        (try? Files.readText("/sys/module/apparmor/parameters/enabled"))?.hasPrefix("Y") ?? false
    }

    static var hasSELinux: Bool { FileStatus.exists("/sys/fs/selinux/enforce") }

    /// What the program's exec is to write below /proc/self/attr.
    ///
    /// - Throws: where a label is asked for that this kernel could not enforce.
    static func labels(_ process: RuntimeSpec.Process) throws(EngineError) -> [(file: String, value: String)] {
        var labels: [(file: String, value: String)] = []
        if let profile = process.apparmorProfile, !profile.isEmpty {
            guard hasAppArmor else {
                throw EngineError(.unsupported, "apparmor profile is specified in config, but apparmor is not enabled")
            }
            let file = FileStatus.exists("/proc/self/attr/apparmor/exec") ? "apparmor/exec" : "exec"
            labels.append((file, "exec \(profile)"))
        }
        if let label = process.selinuxLabel, !label.isEmpty {
            guard hasSELinux else {
                throw EngineError(
                    .unsupported,
                    "selinux label is specified in config, but selinux is disabled or not supported"
                )
            }
            labels.append(("exec", label))
        }
        return labels
    }
}
