import Images
import LinuxSystem
import OCI
import Runner
import Runtime

/// `minirun info`
enum InfoCommand {
    static let verb = Verb(
        ["system info", "info"],
        "Display system-wide information",
        usage: "[OPTIONS]",
        arguments: .none,
        common: true,
        options: SystemOptions.info,
        run: run
    )

    private static func run(_ parsed: ParsedArguments) throws -> Int32 {
        let info = try Installation.reading(parsed.globals) { engine in
            let containers = try engine.readableContainers()
            return SystemInformation(
                containers: containers.count,
                running: containers.count { $0.status == .running },
                images: try engine.images.images().count,
                root: engine.images.root,
                state: engine.state,
                driver: engine.images.driver,
                isDebugging: parsed.globals.debug,
                facts: try .current()
            )
        }
        switch parsed.value("format") ?? "" {
        case "": Console.print(info.text)
        case "json": Console.print(info.json.text() + "\n")
        case let format: Console.print(try GoTemplate(format).render(info.json) + "\n")
        }
        return 0
    }
}

/// This machine, as far as `info` and `version` tell of it.
struct SystemFacts {
    var name: String
    var kernel: String
    /// PRETTY_NAME and VERSION_ID of os-release(5).
    var operatingSystem: String
    var operatingSystemVersion: String
    var processors: Int
    /// In bytes.
    var memory: Int64
    var cgroupVersion: String

    static func current() throws -> SystemFacts {
        let release =
            ["/etc/os-release", "/usr/lib/os-release"].lazy.compactMap { try? Files.readText($0) }.first ?? ""
        let hierarchy = try CgroupHierarchy.current()
        return SystemFacts(
            name: line(try Files.readText("/proc/sys/kernel/hostname")),
            kernel: try kernel(),
            operatingSystem: value("PRETTY_NAME", of: release) ?? "Linux",
            operatingSystemVersion: value("VERSION_ID", of: release) ?? "",
            processors: Processors.configured,
            memory: totalMemory(try Files.readText("/proc/meminfo")),
            cgroupVersion: hierarchy.mode == .unified ? "2" : "1"
        )
    }

    static func kernel() throws -> String { line(try Files.readText("/proc/sys/kernel/osrelease")) }

    private static func line(_ text: String) -> String { String(text.prefix { $0 != "\n" }) }

    /// `KEY=value` or `KEY="value"` in a file of such lines.
    static func value(_ key: String, of text: String) -> String? {
        for line in text.split(separator: "\n") where line.hasPrefix("\(key)=") {
            return String(line.dropFirst(key.count + 1).filter { $0 != "\"" && $0 != "'" })
        }
        return nil
    }

    /// `MemTotal:  8000 kB`, in bytes.
    static func totalMemory(_ text: String) -> Int64 {
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("MemTotal:") }) else { return 0 }
        return (Int64(line.filter { ("0"..."9").contains($0) }) ?? 0) * 1024
    }
}

/// What `info` says.
struct SystemInformation {
    let containers: Int
    let running: Int
    let images: Int
    let root: String
    let state: String
    /// What new layers become.
    let driver: StorageDriver
    let isDebugging: Bool
    let facts: SystemFacts

    private static let architecture = Platform.host.architecture == "amd64" ? "x86_64" : "aarch64"

    /// Indented as docker's: what belongs to the line above has one blank more.
    var text: String {
        """
        Client:
         Version:    \(Version.number)
         Context:    default
         Debug Mode: \(isDebugging)

        Server:
         Containers: \(containers)
          Running: \(running)
          Paused: 0
          Stopped: \(containers - running)
         Images: \(images)
         Server Version: \(Version.number)
         Storage Driver: overlay2
          New Layers: \(driver.rawValue)
         Logging Driver: none
         Cgroup Driver: cgroupfs
         Cgroup Version: \(facts.cgroupVersion)
         Runtimes: minirun
         Default Runtime: minirun
         Security Options:
          seccomp
           Profile: builtin
          cgroupns
         Kernel Version: \(facts.kernel)
         Operating System: \(facts.operatingSystem)
         OSType: linux
         Architecture: \(Self.architecture)
         CPUs: \(facts.processors)
         Total Memory: \(HumanReadable.binarySize(facts.memory))
         Name: \(facts.name)
         Minirun Root Dir: \(root)
         Minirun State Dir: \(state)
         Debug Mode: \(isDebugging)

        """
    }

    var json: JSON {
        let version: JSON = .string(Version.number)
        let counts: JSON = [
            "ID": "", "Containers": .number(containers), "ContainersRunning": .number(running), "ContainersPaused": 0,
            "ContainersStopped": .number(containers - running), "Images": .number(images), "Driver": "overlay2",
            "DriverStatus": [["New Layers", .string(driver.rawValue)]],
            "Plugins": ["Volume": .null, "Network": .null, "Authorization": .null, "Log": .null],
            "MemoryLimit": true, "SwapLimit": true, "CpuCfsPeriod": true, "CpuCfsQuota": true, "CPUShares": true,
            "CPUSet": true, "PidsLimit": true, "Debug": .bool(isDebugging), "LoggingDriver": "none",
        ]
        let machine: JSON = [
            "CgroupDriver": "cgroupfs", "CgroupVersion": .string(facts.cgroupVersion),
            "KernelVersion": .string(facts.kernel),
            "OperatingSystem": .string(facts.operatingSystem), "OSVersion": .string(facts.operatingSystemVersion),
            "OSType": "linux", "Architecture": .string(Self.architecture), "NCPU": .number(facts.processors),
            "MemTotal": .number(facts.memory), "DockerRootDir": .string(root), "MinirunStateDir": .string(state),
            "Name": .string(facts.name), "Labels": [], "ServerVersion": version,
            "Runtimes": ["minirun": ["path": "minirun"]], "DefaultRuntime": "minirun",
            "SecurityOptions": ["name=seccomp,profile=builtin", "name=cgroupns"], "Warnings": .null,
            "ClientInfo": ["Debug": .bool(isDebugging), "Version": version, "Context": "default", "Warnings": .null],
        ]
        return counts.overlaid(by: machine)
    }
}
