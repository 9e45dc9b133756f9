import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// An image's `VOLUME` and `-v /path`: a folder of the container's own, which goes with it.
@Suite(.enabled(if: Minirun.isEnabled), .timeLimit(.minutes(20))) struct VolumeTests {
    let minirun: Minirun
    init() throws { minirun = try Minirun() }

    /// An image with VOLUMEs in which `/data` has content of user 1000's, `/link` leads to it, and `/gone` is not there.
    private func image(_ volumes: [String] = ["/data"], user: String = "1000") throws -> String {
        let tree = try Fixtures.tree(minirun)
        try Files.makeDirectories("\(tree)/data/sub")
        try Files.write("\(tree)/data/sub/file", Array("from the image\n".utf8))
        try Link.create("\(tree)/data/away", to: "/etc/passwd")
        try Link.create("\(tree)/link", to: "data")
        try tool("chown", "-R", "-h", "1000:1000", "\(tree)/data")
        try tool("chmod", "0751", "\(tree)/data")
        try tool("chmod", "0640", "\(tree)/data/sub/file")
        return try Fixtures.image(
            from: tree,
            configuration: ["User": .string(user), "Volumes": .object(volumes.map { (key: $0, value: [:]) })],
            at: minirun.path("image")
        )
    }

    @Test func itHasWhatTheImageHasThere() throws {
        let image = try image()
        let script =
            "stat -c '%a %u:%g' /data /data/sub/file; cat /data/sub/file; readlink /data/away; grep -c ' /data ' /proc/mounts"
        let seen = try minirun("run", "--rm", image, "sh", "-c", script)
        #expect(seen.lines == ["751 1000:1000", "640 1000:1000", "from the image", "/etc/passwd", "1"], "\(seen)")
        #expect(minirun.containers.isEmpty)
    }

    @Test(arguments: ["/data", "/gone", "/link", "/"]) func itCanBeWrittenThoughTheRootCannot(path: String) throws {
        let image = try image([path], user: "0")
        let outcome = try minirun("run", "--rm", "--read-only", image, "sh", "-c", "touch \(path)/new && ls -A \(path)")
        if path == "/" {
            #expect(outcome.code == 125 && outcome.err.contains("destination can't be '/'"), "\(outcome)")
        } else {
            #expect(outcome.code == 0 && outcome.lines.contains("new"), "\(outcome)")
            #expect(outcome.lines.contains("sub") == (path != "/gone"))
        }
        #expect(minirun.containers.isEmpty && minirun.active.isEmpty)
    }

    /// A few bytes of an archive give a file a thousand names: they must not become a thousand files.
    @Test func filesOfSeveralNamesStaySo() throws {
        let tree = try Fixtures.tree(minirun)
        try Files.makeDirectories("\(tree)/data/sub")
        try Files.write("\(tree)/data/big", [UInt8](repeating: 1, count: 1 << 20))
        // More names than one read of a folder gives, in several folders, and one that the shim would like to have.
        for number in 0..<300 {
            try tool("ln", "\(tree)/data/big", "\(tree)/data/\(number % 2 == 0 ? "sub/" : "")n\(number)")
        }
        try Files.write("\(tree)/data/.minirun-links.0", Array("the image's".utf8))
        let image = try Fixtures.image(
            from: tree,
            configuration: ["Volumes": ["/data": [:]]],
            at: minirun.path("linked")
        )
        let script =
            "stat -c %h /data/big /data/n1 /data/sub/n298; du -s /data | cut -f1; ls -A /data | grep -v n; "
            + "cat /data/.minirun-links.0; echo; ls -A /data/sub | wc -l; cmp /data/big /data/sub/n4 && echo same"
        let seen = try minirun("run", "--rm", image, "sh", "-c", script)
        #expect(seen.code == 0 && seen.lines.count == 9, "\(seen)")
        #expect(seen.lines.prefix(3) == ["301", "301", "301"], "\(seen)")
        #expect(seen.lines.count > 3 && Int(seen.lines[3]).map { $0 < 2048 } ?? false, "\(seen)")
        #expect(seen.lines.suffix(5) == ["big", "sub", "the image's", "150", "same"], "\(seen)")
        #expect(minirun.containers.isEmpty)
    }

    @Test func itStaysWithTheContainerAndGoesWithIt() throws {
        let image = try image()
        let run = try minirun("run", "--name", "kept", image, "sh", "-c", "echo mine > /data/new")
        #expect(run.code == 0, "\(run)")
        let inspected = try JSON.parse(minirun("inspect", "kept", "--format", "{{json .Mounts}}").line)
        guard case .array(let mounts) = inspected else {
            Issue.record("no mount: \(inspected)")
            return
        }
        let mount = mounts.first
        #expect(mount?["Type"]?.string == "volume" && mount?["Destination"]?.string == "/data")
        #expect(mount?["Driver"]?.string == "local" && mount?["Name"]?.string?.count == 64)
        let source = try #require(mount?["Source"]?.string)
        #expect(try Files.readText("\(source)/new") == "mine\n")
        #expect(try FileStatus.of(source).mode & 0o7777 == 0o751)
        // What lies in a volume is no change of the container's.
        let upper = "\(Files.parent(of: Files.parent(of: source)))/upper"
        #expect(!FileStatus.exists("\(upper)/data/new"))
        #expect(try minirun("rm", "kept").code == 0)
        #expect(!FileStatus.exists(source))
    }

    @Test func theCallersOwn() throws {
        let image = try image([], user: "0")
        let script = "ls -A /data /own; touch /own/x && echo written"
        let options = ["-v", "/data", "-v", "/own", "--read-only"]
        let seen = try minirun.invoke(["run", "--rm"] + options + [image, "sh", "-c", script])
        #expect(seen.lines == ["/data:", "away", "sub", "/own:", "written"], "\(seen)")
        let empty = ["--mount", "type=volume,dst=/data,volume-nocopy", "-v", "/own:ro"]
        #expect(try minirun.invoke(["run", "--rm"] + empty.prefix(2) + [image, "ls", "-A", "/data"]).out == "")
        let named = try minirun("run", "--rm", "-v", "name:/data", image, "true")
        #expect(named.code == 125 && named.err.contains("not supported yet"))
    }

    /// A bind or a tmpfs of the caller's stands for the image's volume.
    @Test func theCallersMountStandsForIt() throws {
        let image = try image(user: "0")
        let folder = try minirun.makeFolder("host")
        #expect(try minirun("run", "--rm", "-v", "\(folder):/data", image, "ls", "-A", "/data").out == "")
        #expect(try minirun("run", "--rm", "--tmpfs", "/data", image, "ls", "-A", "/data").out == "")
        #expect(try Files.list(folder).isEmpty)
    }
}

/// /etc/hosts, /etc/hostname, /etc/resolv.conf, and what a container is called.
@Suite(.enabled(if: Minirun.isEnabled), .timeLimit(.minutes(20))) struct NameTests {
    let minirun: Minirun
    init() throws { minirun = try Minirun() }

    @Test(arguments: ["none", "host"]) func theContainersOwnNamesResolve(network: String) throws {
        let options =
            ["run", "--rm", "--network", network, "--name", "web"] + (network == "none" ? ["-h", "box"] : [])
        let script = "ping -c 1 -W 2 web > /dev/null && ping -c 1 -W 2 $(hostname) > /dev/null && echo both"
        let outcome = try minirun.invoke(options + [Fixtures.busybox, "sh", "-c", script])
        #expect(outcome.line == "both", "\(outcome)")
    }

    @Test(arguments: ["none", "host"]) func theHostsGatewayIsAnAddress(network: String) throws {
        let outcome = try minirun.shell(
            "grep -w up /etc/hosts",
            "--network",
            network,
            "--add-host",
            "up:host-gateway"
        )
        let address = outcome.line.split(separator: "\t").first.map(String.init) ?? ""
        #expect(IPAddress(address) != nil, "\(outcome)")
    }

    @Test(arguments: ["bind", "tmpfs"]) func theyLieOnTopOfAMountOnEtc(kind: String) throws {
        let folder = try minirun.makeFolder("etc")
        try minirun.write("etc/hosts", "the host's\n")
        try minirun.write("etc/passwd", "root:x:0:0::/root:/bin/sh\n")
        let options = kind == "bind" ? ["-v", "\(folder):/etc"] : ["--tmpfs", "/etc"]
        let script = "head -n 1 /etc/hosts; hostname; cat /etc/hostname; cat /etc/resolv.conf"
        let outcome = try minirun.invoke(
            ["run", "--rm", "-h", "box", "--dns", "9.9.9.9"] + options + [Fixtures.busybox, "sh", "-c", script]
        )
        #expect(outcome.lines == ["127.0.0.1\tlocalhost", "box", "box", "nameserver 9.9.9.9"], "\(outcome)")
        #expect(try Files.readText("\(folder)/hosts") == "the host's\n")
    }

    /// HotSpot looks for its limits only where it finds all four (CgroupSubsystemFactory::determine_type); on cgroup v2 there is
    /// one hierarchy with all that is enabled.
    @Test(
        .enabled(if: FileStatus.exists("/sys/fs/cgroup/memory")),
        arguments: [["-m", "64m"], ["--cpus", "1"], ["--cpuset-cpus", "0"]]
    )
    func aProgramFindsTheHierarchiesOfItsLimits(options: [String]) throws {
        let outcome = try minirun.invoke(
            ["run", "--rm"] + options + [Fixtures.busybox, "grep", "-w", "cgroup", "/proc/self/mountinfo"]
        )
        for controller in ["cpu", "cpuacct", "cpuset", "memory"] {
            let line = outcome.lines.first {
                $0.split(separator: " ").last?.split(separator: ",").contains(Substring(controller)) == true
            }
            #expect(line?.contains(" / /sys/fs/cgroup/") == true, "\(controller): \(outcome)")
        }
    }
}
