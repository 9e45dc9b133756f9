import LinuxSystem
import OCI
import TestSupport
import Testing

extension PodmanTests {
    @Suite struct Limits {
        let podman: PeerEngine
        init() throws { podman = try engine() }

        @Test func areInTheCgroup() throws {
            try podman.must(
                """
                run -d --network none --name limited --memory 64m --memory-reservation 32m --pids-limit 20 --cpus 0.5 \
                --cpu-shares 512 --cpuset-cpus 0 busybox sleep 1000
                """
            )
            let expected = [
                ("memory/memory.limit_in_bytes", "memory.max", ["\(64 << 20)"]),
                ("memory/memory.soft_limit_in_bytes", "memory.low", ["\(32 << 20)"]),
                ("pids/pids.max", "pids.max", ["20"]),
                ("cpu/cpu.cfs_quota_us", "cpu.max", ["50000", "50000 100000"]),
                ("cpu/cpu.shares", "cpu.weight", ["512", "20", "59"]),
                ("cpuset/cpuset.cpus", "cpuset.cpus", ["0"]),
            ]
            for (version1, version2, values) in expected {
                #expect(try values.contains(podman.limit(of: "limited", version1, version2)), "\(version1)")
            }
            try podman.must("rm --force --time 0 limited")
        }

        @Test func tooManyProcesses() throws {
            let outcome = try podman(
                "run --rm --network none --pids-limit 5 busybox sh -c 'for i in 1 2 3 4 5 6 7 8; do sleep 5 & done; echo all'"
            )
            #expect(outcome.err.contains("can't fork"), "\(outcome)")
        }

        @Test func tooMuchMemory() throws {
            try podman.must(
                "run -d --network none --name hungry --memory 16m --memory-swap 16m busybox sh -c 'exec tail /dev/zero'"
            )
            #expect(try podman.must("wait hungry") == "137")
            try podman.must("rm hungry")
        }

        @Test func resourceLimitsAndPriorities() throws {
            let outcome = try podman(
                """
                run --rm --network none --ulimit nofile=123:456 --ulimit nproc=300:400 --oom-score-adj 500 --shm-size 1m busybox sh -c \
                'ulimit -Sn; ulimit -Hn; cat /proc/self/oom_score_adj; df -k /dev/shm | tail -n 1'
                """
            )
            #expect(Array(outcome.lines.prefix(3)) == ["123", "456", "500"], "\(outcome)")
            #expect(outcome.lines.last?.contains(" 1024 ") == true, "\(outcome)")
        }

        @Test func devicesAreAllowedOneByOne() throws {
            let outcome = try podman(
                """
                run --rm --network none --device /dev/kmsg:/dev/mine:r --cap-add MKNOD,SYSLOG busybox sh -c \
                'exec 3< /dev/mine && echo opened; echo x > /dev/mine; mknod /tmp/mem c 1 1; cat /tmp/mem'
                """
            )
            #expect(outcome.lines == ["opened"], "\(outcome)")
            #expect(outcome.err.contains("can't create /dev/mine: Operation not permitted"), "\(outcome)")
            #expect(outcome.err.contains("can't open '/tmp/mem': Operation not permitted"), "\(outcome)")
        }
    }

    @Suite struct Security {
        let podman: PeerEngine
        init() throws { podman = try engine() }

        private func status(_ field: String, _ options: String) throws -> String {
            let line = try podman.must("run --rm --network none \(options) busybox grep '^\(field):' /proc/self/status")
            return String(line.dropFirst(field.count + 1).drop { $0 == "\t" })
        }

        @Test(arguments: [
            ("--cap-drop all", "0000000000000000"), ("--cap-drop all --cap-add NET_ADMIN", "0000000000001000"),
            ("--cap-drop CHOWN --cap-drop all --cap-add KILL,SETUID", "00000000000000a0"),
        ])
        func capabilities(options: String, mask: String) throws {
            for field in ["CapPrm", "CapEff", "CapBnd"] { #expect(try status(field, options) == mask) }
            #expect(try status("CapInh", options) == "0000000000000000")
        }

        @Test func aUserHasNoCapabilities() throws {
            #expect(try status("CapEff", "--user 1000") == "0000000000000000")
            #expect(try status("CapAmb", "--user 1000 --cap-add NET_RAW") == "0000000000002000")
            #expect(
                try podman.must("run --rm --network none --user app --group-add 33 busybox id")
                    == "uid=1000(app) gid=1000(app) groups=33(www-data),1000(app),2000(extra)"
            )
        }

        @Test func noNewPrivileges() throws {
            #expect(try status("NoNewPrivs", "") == "0")
            #expect(try status("NoNewPrivs", "--security-opt no-new-privileges") == "1")
        }

        @Test func seccomp() throws {
            #expect(try status("Seccomp", "") == "2")
            #expect(try status("Seccomp", "--security-opt seccomp=unconfined") == "0")
            let profile = try podman.write(
                "seccomp.json",
                """
                {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"],
                 "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}]}
                """
            )
            let outcome = try podman(
                "run --rm --network none --security-opt seccomp=\(profile) busybox sh -c 'mkdir /x; echo $?'"
            )
            #expect(outcome.out == "1\n" && outcome.err.contains("No space left on device"), "\(outcome)")
            try podman.write("seccomp-broken.json", #"{"defaultAction": "SCMP_ACT_NOSUCH"}"#)
            let broken = try podman(
                "run --rm --network none --security-opt seccomp=\(podman.path("seccomp-broken.json")) busybox true"
            )
            #expect(broken.code != 0)
        }

        @Test func privileged() throws {
            let outcome = try podman(
                """
                run --rm --network none --privileged busybox sh -c \
                'grep Seccomp: /proc/self/status; mount -t tmpfs x /mnt 2>/dev/null || { mkdir /mnt; mount -t tmpfs x /mnt; }; \
                grep -c " /mnt " /proc/mounts; grep " /sys " /proc/mounts'
                """
            )
            #expect(outcome.lines.first?.hasSuffix("0") == true && outcome.lines.dropFirst().first == "1", "\(outcome)")
            #expect(outcome.lines.last?.contains("sysfs rw") == true, "\(outcome)")
        }

        @Test func kernelFilesAreMasked() throws {
            let outcome = try podman(
                """
                run --rm --network none busybox sh -c \
                'cat /proc/timer_list; ls -A /proc/acpi /sys/firmware; echo 1 > /proc/sys/kernel/domainname; \
                grep -cE " /proc/(bus|fs|irq|sys) proc ro" /proc/mounts'
                """
            )
            #expect(outcome.out.filter { $0 != "\n" } == "/proc/acpi:/sys/firmware:4", "\(outcome)")
            #expect(outcome.err.contains("domainname: Read-only file system"), "\(outcome)")
            let changed = try podman(
                """
                run --rm --network none --security-opt unmask=/proc/timer_list --security-opt mask=/proc/version \
                busybox wc -c /proc/timer_list /proc/version
                """
            )
            #expect(changed.lines.count == 3 && changed.lines[1].hasPrefix("        0 "), "\(changed)")
            #expect(changed.lines.first?.hasPrefix("        0 ") == false, "\(changed)")
        }

        @Test func sysctls() throws {
            let outcome = try podman(
                """
                run --rm --network none --sysctl net.ipv4.ping_group_range='0 0' --sysctl kernel.msgmax=4096 busybox \
                cat /proc/sys/net/ipv4/ping_group_range /proc/sys/kernel/msgmax
                """
            )
            #expect(outcome.lines == ["0\t0", "4096"], "\(outcome)")
        }
    }

    @Suite struct FileSystems {
        let podman: PeerEngine
        init() throws { podman = try engine() }

        @Test func readOnlyRoot() throws {
            let outcome = try podman(
                "run --rm --network none --read-only busybox sh -c 'touch /x; touch /tmp/x /run/x /dev/shm/x && echo fine'"
            )
            #expect(outcome.out == "fine\n" && outcome.err.contains("/x: Read-only file system"), "\(outcome)")
        }

        @Test func temporaryFileSystems() throws {
            let outcome = try podman(
                """
                run --rm --network none --tmpfs /scratch:size=1m,mode=750,noexec busybox sh -c \
                'stat -c %a /scratch; grep -o " /scratch .*" /proc/mounts; head -c 2000000 /dev/zero > /scratch/big; stat -c %s /scratch/big'
                """
            )
            #expect(outcome.lines.first == "750", "\(outcome)")
            #expect(
                outcome.lines.count == 3 && outcome.lines[1].contains("noexec") && outcome.lines[2] == "\(1 << 20)",
                "\(outcome)"
            )
        }

        @Test func bindMounts() throws {
            try podman.write("bound/file", "from the host\n")
            let folder = podman.path("bound")
            let outcome = try podman(
                """
                run --rm --network none -v \(folder):/ro:ro -v \(folder):/rw -v \(folder)/file:/one:ro busybox sh -c \
                'cat /ro/file /one; touch /ro/x; echo x > /one; echo written > /rw/new'
                """
            )
            #expect(outcome.out == "from the host\nfrom the host\n", "\(outcome)")
            #expect(outcome.err.contains("/ro/x: Read-only") && outcome.err.contains("can't create /one"), "\(outcome)")
            #expect(try Files.readText("\(folder)/new") == "written\n")
            let missing = try podman("run --rm --network none -v \(folder)/nosuch:/x busybox true")
            #expect(missing.code == 125, "\(missing)")
        }

        @Test func propagation() throws {
            // A mount that is made on the host later is seen inside where the bind mount is a slave.
            let folder = try podman.makeFolder("propagated")
            try podman.inside(
                "mount --bind \(folder) \(folder) && mount --make-shared \(folder) && mkdir -p \(folder)/later"
            )
            try podman.must(
                "run -d --network none --name slave -v \(folder):/s:rslave -v \(folder):/p:rprivate busybox sleep 1000"
            )
            try podman.inside("mount -t tmpfs later \(folder)/later && touch \(folder)/later/there")
            #expect(
                try podman("exec slave ls /s/later /p/later").lines
                    == ["/p/later:", "", "/s/later:", "there"].filter { $0 != "" }
            )
            try podman.must("rm --force --time 0 slave")
            try podman.inside("umount -R \(folder)")
        }

        @Test func volumesKeepTheImagesFiles() throws {
            let outcome = try podman(
                "run --rm --network none -v kept:/home busybox sh -c 'ls /home; echo 1 > /home/app/x'"
            )
            #expect(outcome.out == "app\n", "\(outcome)")
            #expect(try podman("run --rm --network none -v kept:/data busybox cat /data/app/x").out == "1\n")
            try podman.must("volume rm kept")
        }

        @Test func initReapsOrphans() throws {
            let outcome = try podman(
                """
                run --rm --network none --init busybox sh -c \
                'cat /proc/1/comm; (sleep 0.01 &); sleep 0.2; grep -l "^State:.Z" /proc/[0-9]*/status | wc -l; exit 12'
                """
            )
            #expect(outcome.lines == ["podman-init", "0"] && outcome.code == 12, "\(outcome)")
        }

        @Test func namesAndPlaces() throws {
            let outcome = try podman(
                """
                run --rm --network none --hostname somewhere --workdir /var/www -e VAR='a b' --entrypoint sh busybox -c \
                'hostname; pwd; echo $VAR; echo $(cat /etc/hostname); umask; echo $$'
                """
            )
            #expect(outcome.lines == ["somewhere", "/var/www", "a b", "somewhere", "0022", "1"], "\(outcome)")
        }
    }

    @Suite struct Namespaces {
        let podman: PeerEngine
        init() throws { podman = try engine() }

        @Test func theHostsOwn() throws {
            let outcome = try podman(
                "run --rm --network host --pid host --ipc host --uts host busybox sh -c 'for n in net pid ipc uts; do readlink /proc/self/ns/$n; done'"
            )
            let host = try podman.inside("for n in net pid ipc uts; do readlink /proc/self/ns/$n; done")
            #expect(outcome.out == host.out && outcome.lines.count == 4, "\(outcome)")
        }

        @Test func anotherContainers() throws {
            try podman.must("run -d --network none --name other busybox sleep 1000")
            let outcome = try podman(
                """
                run --rm --network container:other --pid container:other --ipc container:other busybox sh -c \
                'for n in net pid ipc; do readlink /proc/self/ns/$n; done; ps | grep -c "sleep 1000$"'
                """
            )
            let other = try podman("exec other sh -c 'for n in net pid ipc; do readlink /proc/self/ns/$n; done'")
            #expect(outcome.lines == other.lines + ["1"], "\(outcome)")
            try podman.must("rm --force --time 0 other")
        }

        @Test func cgroupNamespace() throws {
            let own = try podman("run --rm --network none --cgroupns private busybox cat /proc/self/cgroup")
            #expect(own.lines.allSatisfy { $0.hasSuffix(":/") } && own.code == 0, "\(own)")
            let host = try podman("run --rm --network none --cgroupns host busybox cat /proc/self/cgroup")
            #expect(host.lines.contains { $0.contains("/libpod_parent/libpod-") }, "\(host)")
        }

        @Test func userMappings() throws {
            let folder = try podman.makeFolder("mapped")
            try tool("chmod", "777", folder)
            let outcome = try podman(
                """
                run --rm --network none --uidmap 0:100000:5000 --gidmap 0:200000:5000 -v \(folder):/data busybox sh -c \
                'cat /proc/self/uid_map /proc/self/gid_map; touch /data/made; id -u; stat -c %u:%g /bin/sh; hostname x'
                """
            )
            let maps = outcome.lines.prefix(2).map { $0.split(separator: " ").map(String.init) }
            #expect(maps == [["0", "100000", "5000"], ["0", "200000", "5000"]], "\(outcome)")
            #expect(outcome.lines.dropFirst(2) == ["0", "0:0"], "\(outcome)")
            #expect(try tool("stat", "-c", "%u:%g", "\(folder)/made") == "100000:200000\n")
        }

        @Test func automaticUserMappings() throws {
            try podman.must("run -d --network none --userns auto:size=2000 --name first busybox sleep 1000")
            try podman.must("run -d --network none --userns auto --name second busybox sleep 1000")
            let first = try podman.must("exec first cat /proc/self/uid_map").split(separator: " ").compactMap {
                Int($0)
            }
            let second = try podman.must("exec second cat /proc/self/uid_map").split(separator: " ").compactMap {
                Int($0)
            }
            #expect(first.count == 3 && first[0] == 0 && first[1] >= 1_000_000 && first[2] == 2000, "\(first)")
            #expect(second.count == 3 && second[1] >= 1_002_000, "\(second)")
            // Root inside is nobody outside.
            #expect(try podman.inside("stat -c %u /proc/\(podman.pid(of: "first"))").line == "\(first[1])")
            try podman.must("rm --force --time 0 first second")
        }

        @Test func oneUserIsKept() throws {
            // As keep-id does it for a user: one id is the host's own, the others are not. Debian's podman cannot mount
            // an image with several ranges on a newer kernel; a folder it can.
            let root = try podman.rootFolder("kept", owner: 100_000)
            let outcome = try podman(
                """
                run --rm --network none --uidmap 0:100000:1000 --uidmap 1000:1000:1 --uidmap 1001:101001:1000 --user 1000 \
                --rootfs \(root) sh -c 'id -u; cat /proc/self/uid_map'
                """
            )
            #expect(outcome.lines.count == 4 && outcome.lines.first == "1000", "\(outcome)")
            #expect(outcome.lines.contains { $0.split(separator: " ") == ["1000", "1000", "1"] }, "\(outcome)")
        }
    }
}
