import OCI

/// Configurations to read: a minimal one with something laid over it.
enum GivenSpec {
    static let minimal = #"{"ociVersion":"1.0.2","process":{"args":["sh"],"cwd":"/"},"root":{"path":"rootfs"}}"#

    /// The minimal configuration with the members of `patch`, object by object.
    static func json(_ patch: String) throws -> JSON { merge(try JSON.parse(minimal), try JSON.parse(patch)) }

    static func read(_ patch: String) throws -> RuntimeSpec { try RuntimeSpec(json(patch)) }

    private static func merge(_ below: JSON, _ above: JSON) -> JSON {
        guard case .object(var members) = below, case .object(let added) = above else { return above }
        for (key, value) in added {
            if let at = members.firstIndex(where: { $0.key == key }) {
                members[at].value = merge(members[at].value, value)
            } else {
                members.append((key, value))
            }
        }
        return .object(members)
    }

    /// Every key that the specification has for Linux, in the order in which it is written.
    static let everything = #"""
        {
          "ociVersion": "1.2.1",
          "process": {
            "terminal": true,
            "consoleSize": { "height": 25, "width": 80 },
            "user": { "uid": 1, "gid": 2, "umask": 63, "additionalGids": [5, 6] },
            "args": ["sh", "-c", ""],
            "env": ["A=1", "B=é"],
            "cwd": "/root",
            "capabilities": {
              "bounding": ["CAP_KILL", "CAP_NOBODY_KNOWS"],
              "effective": ["CAP_KILL"],
              "inheritable": ["CAP_CHOWN"],
              "permitted": ["CAP_KILL"],
              "ambient": ["CAP_NET_RAW"]
            },
            "rlimits": [
              { "type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1000 },
              { "type": "RLIMIT_CORE", "hard": 18446744073709551615, "soft": 0 }
            ],
            "noNewPrivileges": true,
            "apparmorProfile": "some_profile",
            "oomScoreAdj": -100,
            "scheduler": {
              "policy": "SCHED_DEADLINE",
              "nice": -3,
              "priority": 4,
              "flags": ["SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_DL_OVERRUN"],
              "runtime": 1000000,
              "deadline": 2000000,
              "period": 3000000
            },
            "selinuxLabel": "system_u:system_r:svirt_lxc_net_t:s0:c124,c675",
            "ioPriority": { "class": "IOPRIO_CLASS_IDLE", "priority": 4 },
            "execCPUAffinity": { "initial": "7", "final": "0-3,7" }
          },
          "root": { "path": "rootfs", "readonly": true },
          "hostname": "here",
          "domainname": "example.test",
          "mounts": [
            { "destination": "/proc", "type": "proc", "source": "proc" },
            {
              "destination": "/data",
              "type": "none",
              "source": "volumes",
              "options": ["rbind", "ridmap", "rro"],
              "uidMappings": [{ "containerID": 0, "hostID": 1000, "size": 10 }],
              "gidMappings": [{ "containerID": 0, "hostID": 2000, "size": 20 }]
            }
          ],
          "hooks": {
            "prestart": [{ "path": "/a" }],
            "createRuntime": [{ "path": "/b", "args": ["b", "x"], "env": ["K=V"], "timeout": 5 }],
            "createContainer": [{ "path": "/c" }, { "path": "/d" }],
            "startContainer": [{ "path": "/e", "args": ["e"] }],
            "poststart": [{ "path": "/f" }],
            "poststop": [{ "path": "/g" }]
          },
          "annotations": { "a.b": "", "c.d": "text" },
          "linux": {
            "uidMappings": [
              { "containerID": 0, "hostID": 1000, "size": 1 },
              { "containerID": 1, "hostID": 100000, "size": 65536 }
            ],
            "gidMappings": [{ "containerID": 0, "hostID": 1000, "size": 1 }],
            "sysctl": { "kernel.shmmax": "1", "net.core.somaxconn": "256" },
            "resources": { "memory": { "limit": 1048576 }, "pids": { "limit": 10 } },
            "cgroupsPath": "/a/b",
            "namespaces": [
              { "type": "pid", "path": "/proc/1/ns/pid" },
              { "type": "network" },
              { "type": "ipc" },
              { "type": "uts" },
              { "type": "mount" },
              { "type": "cgroup" },
              { "type": "user" },
              { "type": "time" }
            ],
            "devices": [
              {
                "path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 438, "uid": 3, "gid": 4
              },
              { "path": "/run/pipe", "type": "p", "major": 0, "minor": 0, "fileMode": 384, "uid": 0, "gid": 0 }
            ],
            "netDevices": { "eth0": { "name": "inside0" }, "eth1": {} },
            "seccomp": {
              "defaultAction": "SCMP_ACT_ERRNO",
              "defaultErrnoRet": 1,
              "architectures": ["SCMP_ARCH_X86_64"],
              "flags": ["SECCOMP_FILTER_FLAG_LOG"],
              "listenerPath": "/run/listener",
              "listenerMetadata": "m",
              "syscalls": [
                {
                  "names": ["read"],
                  "action": "SCMP_ACT_ALLOW",
                  "args": [{ "index": 1, "value": 2, "valueTwo": 3, "op": "SCMP_CMP_MASKED_EQ" }]
                }
              ]
            },
            "rootfsPropagation": "rslave",
            "maskedPaths": ["/proc/kcore"],
            "readonlyPaths": ["/proc/sys"],
            "mountLabel": "system_u:object_r:svirt_sandbox_file_t:s0:c715,c811",
            "intelRdt": {
              "closID": "group",
              "schemata": ["L3:0=f"],
              "l3CacheSchema": "L3:0=7f0",
              "memBwSchema": "MB:0=20",
              "enableMonitoring": true,
              "enableCMT": true,
              "enableMBM": true
            },
            "memoryPolicy": { "mode": "MPOL_INTERLEAVE", "nodes": "2-3", "flags": ["MPOL_F_STATIC_NODES"] },
            "personality": { "domain": "LINUX32" },
            "timeOffsets": {
              "boottime": { "secs": -5, "nanosecs": 7 },
              "monotonic": { "secs": 100, "nanosecs": 0 }
            }
          }
        }
        """#
}
