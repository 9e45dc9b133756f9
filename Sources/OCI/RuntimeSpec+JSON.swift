extension RuntimeSpec {
    /// The version of the specification that this type follows.
    package static let version = "1.2.0"

    /// The specification's `config.json`. Keys stand in the order of the specification's own example.
    package var json: JSON {
        var members: [(key: String, value: JSON)] = [
            ("ociVersion", .string(RuntimeSpec.version)),
            ("process", process.json),
            ("root", ["path": .string(root.path), "readonly": .bool(root.readonly)]),
        ]
        if let hostname { members.append(("hostname", .string(hostname))) }
        if let domainname { members.append(("domainname", .string(domainname))) }
        members.append(("mounts", .array(mounts.map(\.json))))
        members.append(("linux", linux.json))
        if !annotations.isEmpty { members.append(("annotations", .sortedStrings(annotations))) }
        return .object(members)
    }
}

extension RuntimeSpec.Process {
    var json: JSON {
        var user: [(key: String, value: JSON)] = [("uid", .number(user.uid)), ("gid", .number(user.gid))]
        if let umask = self.user.umask { user.append(("umask", .number(umask))) }
        if !self.user.additionalGids.isEmpty {
            user.append(("additionalGids", .array(self.user.additionalGids.map { .number($0) })))
        }
        var members: [(key: String, value: JSON)] = [("terminal", .bool(terminal))]
        if let size = consoleSize {
            members.append(("consoleSize", ["height": .number(size.height), "width": .number(size.width)]))
        }
        members += [
            ("user", .object(user)), ("args", .strings(args)), ("env", .strings(env)), ("cwd", .string(cwd)),
            (
                "capabilities",
                [
                    "bounding": .strings(capabilities.bounding), "effective": .strings(capabilities.effective),
                    "inheritable": .strings(capabilities.inheritable), "permitted": .strings(capabilities.permitted),
                    "ambient": .strings(capabilities.ambient),
                ]
            ),
        ]
        if !rlimits.isEmpty {
            members.append(
                (
                    "rlimits",
                    .array(
                        rlimits.map { ["type": .string($0.type), "hard": .number($0.hard), "soft": .number($0.soft)] }
                    )
                )
            )
        }
        members.append(("noNewPrivileges", .bool(noNewPrivileges)))
        if let oomScoreAdj { members.append(("oomScoreAdj", .number(oomScoreAdj))) }
        return .object(members)
    }
}

extension RuntimeSpec.Mount {
    var json: JSON {
        [
            "destination": .string(destination), "type": .string(type), "source": .string(source),
            "options": .strings(options),
        ]
    }
}

extension RuntimeSpec.Linux {
    var json: JSON {
        var members: [(key: String, value: JSON)] = []
        if !sysctl.isEmpty { members.append(("sysctl", .sortedStrings(sysctl))) }
        if let cgroupsPath { members.append(("cgroupsPath", .string(cgroupsPath))) }
        members.append(
            (
                "namespaces",
                .array(
                    namespaces.map { namespace in
                        var entry: [(key: String, value: JSON)] = [("type", .string(namespace.type.rawValue))]
                        if let path = namespace.path { entry.append(("path", .string(path))) }
                        return .object(entry)
                    }
                )
            )
        )
        if !devices.isEmpty {
            members.append(
                (
                    "devices",
                    .array(
                        devices.map {
                            [
                                "path": .string($0.path), "type": .string($0.type), "major": .number($0.major),
                                "minor": .number($0.minor), "fileMode": .number($0.mode), "uid": .number($0.uid),
                                "gid": .number($0.gid),
                            ]
                        }
                    )
                )
            )
        }
        members.append(("resources", resources.json))
        if !rootfsPropagation.isEmpty { members.append(("rootfsPropagation", .string(rootfsPropagation))) }
        if let seccomp { members.append(("seccomp", seccomp.json)) }
        members.append(("maskedPaths", .strings(maskedPaths)))
        members.append(("readonlyPaths", .strings(readonlyPaths)))
        return .object(members)
    }
}
