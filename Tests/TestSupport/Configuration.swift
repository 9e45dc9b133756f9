import OCI

extension JSON: ExpressibleByStringInterpolation {}

/// Editing of a `config.json` by path: "process.user.uid". A number is the place in an array.
extension JSON {
    package mutating func set(_ path: String, _ value: JSON) {
        set(path.split(separator: ".").map(String.init)[...], value)
    }

    package mutating func remove(_ path: String) {
        var parts = path.split(separator: ".").map(String.init)
        let last = parts.removeLast()
        update(parts[...]) { parent in
            guard case .object(let members) = parent else { return }
            parent = .object(members.filter { $0.key != last })
        }
    }

    package mutating func append(_ path: String, _ value: JSON) {
        update(path.split(separator: ".").map(String.init)[...]) { list in list = .array((list.array ?? []) + [value]) }
    }

    /// Takes those elements out of an array that meet the condition.
    package mutating func removeAll(_ path: String, where condition: (JSON) -> Bool) {
        update(path.split(separator: ".").map(String.init)[...]) { list in
            list = .array((list.array ?? []).filter { !condition($0) })
        }
    }

    private mutating func set(_ path: ArraySlice<String>, _ value: JSON) { update(path) { $0 = value } }

    private mutating func update(_ path: ArraySlice<String>, _ change: (inout JSON) -> Void) {
        guard let first = path.first else { return change(&self) }
        if let index = Int(first), case .array(var elements) = self, index < elements.count {
            elements[index].update(path.dropFirst(), change)
            self = .array(elements)
            return
        }
        var members = object ?? []
        if let index = members.lastIndex(where: { $0.key == first }) {
            members[index].value.update(path.dropFirst(), change)
        } else {
            var new = JSON.null
            new.update(path.dropFirst(), change)
            members.append((key: first, value: new))
        }
        self = .object(members)
    }
}

/// Shapes that tests write often.
extension JSON {
    package static func mount(_ destination: String, _ type: String, _ source: String, _ options: [String]) -> JSON {
        [
            "destination": .string(destination), "type": .string(type), "source": .string(source),
            "options": .strings(options),
        ]
    }

    package static func bind(_ source: String, _ destination: String, _ options: String...) -> JSON {
        .mount(destination, "bind", source, options.contains("rbind") ? options : ["bind"] + options)
    }

    package static func hook(_ path: String, _ arguments: [String]) -> JSON {
        ["path": .string(path), "args": .strings([path] + arguments), "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]]
    }

    /// A hook that is a line of shell. It takes its input away first: crun loses a race against a hook that does not.
    package static func shellHook(_ script: String, readsState: Bool = false) -> JSON {
        .hook("/bin/sh", ["-c", readsState ? script : "cat > /dev/null; \(script)"])
    }

    package static func mapping(_ container: Int, _ host: Int, _ size: Int) -> JSON {
        ["containerID": .number(container), "hostID": .number(host), "size": .number(size)]
    }
}

package enum Configuration {
    package static let capabilities = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]

    /// What `runc spec` writes, in the main.
    package static func plain(id: String) -> JSON {
        [
            "ociVersion": "1.0.2",
            "process": [
                "terminal": false, "user": ["uid": 0, "gid": 0], "args": ["/guest", "report"],
                "env": ["PATH=/bin:/usr/bin", "MARK=\(id)"], "cwd": "/",
                "capabilities": [
                    "bounding": .strings(capabilities), "effective": .strings(capabilities),
                    "permitted": .strings(capabilities),
                ],
                "rlimits": [["type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024]], "noNewPrivileges": true,
            ],
            "root": ["path": "rootfs", "readonly": false], "hostname": "conformance",
            "mounts": [
                .mount("/proc", "proc", "proc", []),
                .mount("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
                .mount(
                    "/dev/pts",
                    "devpts",
                    "devpts",
                    ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]
                ),
                .mount("/dev/shm", "tmpfs", "shm", ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
                .mount("/dev/mqueue", "mqueue", "mqueue", ["nosuid", "noexec", "nodev"]),
                .mount("/sys", "sysfs", "sysfs", ["nosuid", "noexec", "nodev", "ro"]),
            ],
            "linux": [
                "cgroupsPath": "/\(id)",
                "resources": ["devices": [["allow": false, "access": "rwm"]]],
                "namespaces": [
                    ["type": "pid"], ["type": "network"], ["type": "ipc"], ["type": "uts"], ["type": "mount"],
                    ["type": "cgroup"],
                ],
                "maskedPaths": [
                    "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
                    "/proc/timer_list",
                    "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi",
                ],
                "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
            ],
        ]
    }
}
