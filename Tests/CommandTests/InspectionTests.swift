import Images
import LinuxSystem
import OCI
import Runner
import Testing

@testable import minirun

@Suite struct InspectionTests {
    private static var container: JSON {
        var options = ContainerOptions()
        options.command = ["sh", "-c"]
        options.labels = ["a": "b"]
        options.resources.memory.limit = 5
        var record = ContainerRecord(
            id: String(repeating: "12", count: 32),
            name: "one",
            created: 1_800_000_000_000_000_000,
            imageName: "busybox",
            imageID: "sha256:x",
            layers: [],
            imageConfiguration: ContainerConfiguration(),
            options: options
        )
        record.state.status = .running
        record.state.started = record.created
        var inspection = ContainerInspection(record: record, folder: "/c", dataFolder: "/d", layers: ["/l/2", "/l/1"])
        inspection.pid = 42
        return inspection.object
    }

    @Test(arguments: [
        ("{{.State.Running}} {{.State.Pid}} {{.State.Status}}", "true 42 running"), ("{{.Name}}", "/one"),
        ("{{.NetworkSettings.IPAddress}}{{range .NetworkSettings.Networks}}[{{.IPAddress}}]{{end}}", "[]"),
        ("{{range $name, $x := .NetworkSettings.Networks}}{{$name}}{{end}}", "none"),
        ("{{.HostConfig.Memory}} {{.HostConfig.RestartPolicy.Name}} {{.HostConfig.LogConfig.Type}}", "5 no none"),
        ("{{index .Config.Labels \"a\"}}{{if .Config.Healthcheck}}x{{end}}", "b"),
        ("{{.GraphDriver.Data.LowerDir}} {{.GraphDriver.Data.UpperDir}} {{.HostsPath}}", "/l/2:/l/1 /d/upper /c/hosts"),
        ("{{.State.FinishedAt}} {{.Created}}", "0001-01-01T00:00:00Z 2027-01-15T08:00:00Z"),
        ("{{json .Args}} {{.Path}}", "[\"-c\"] sh"),
    ]) func templatesFindDockersKeys(_ template: String, _ text: String) throws {
        #expect(try InspectFormat.text(template, [Self.container]) == text + "\n")
    }

    @Test func aContainersPathsOnceItHasFiles() {
        let record = ContainerRecord(
            id: "",
            name: "",
            created: 0,
            imageName: "",
            imageID: "",
            layers: [],
            imageConfiguration: ContainerConfiguration(),
            options: ContainerOptions()
        )
        #expect(
            ContainerInspection(record: record, folder: "/c", dataFolder: "/c", layers: []).object["HostsPath"] == ""
        )
    }

    @Test func imageConfigurations() {
        var config = ContainerConfiguration()
        config.exposedPorts = ["80/tcp"]
        config.cmd = ["sh"]
        let json = ImageInspection.config(config)
        #expect(json["ExposedPorts"] == ["80/tcp": [:]])
        #expect(json["Cmd"] == ["sh"] && json["Entrypoint"] == .null && json["Labels"] == .null)
    }

    @Test func changesOfAnImport() throws {
        let changes = ["CMD [\"/x\"]", "env a=b c=d", "WORKDIR /w", "EXPOSE 80", "LABEL x=y", "USER me"]
        let config = try ImportCommand.changed(changes, Platform(architecture: "amd64"))
        #expect(config.cmd == ["/x"] && config.env == ["a=b", "c=d"] && config.workingDir == "/w")
        #expect(config.exposedPorts == ["80/tcp"] && config.labels == ["x": "y"] && config.user == "me")
        #expect(try ImportCommand.changed([], .host) == ContainerConfiguration())
        for text in ["RUN x", "", "COPY a b", "ENV", "FROM x"] {
            #expect(throws: EngineError.self) { try ImportCommand.changed([text], .host) }
        }
    }

    @Test func versions() throws {
        let about = VersionInformation(kernel: "6.18", platform: Platform(architecture: "amd64"), built: "Swift")
        let both = try GoTemplate("{{.Client.Version}} {{.Server.Version}} {{.Server.Os}}/{{.Server.Arch}}")
        #expect(try both.render(about.json) == "\(Version.number) \(Version.number) linux/amd64")
        #expect(about.text.hasPrefix("Client:\n Version:           \(Version.number)\n"))
        #expect(about.text.hasSuffix("\n OS/Arch:           linux/amd64\n"))
    }

    @Test func information() throws {
        let facts = SystemFacts(
            name: "h",
            kernel: "6.18",
            operatingSystem: "Debian",
            operatingSystemVersion: "12",
            processors: 2,
            memory: 8_000_000_000,
            cgroupVersion: "2"
        )
        let info = SystemInformation(
            containers: 3,
            running: 1,
            images: 2,
            root: "/r",
            state: "/s",
            driver: .erofs,
            isDebugging: false,
            facts: facts
        )
        for line in [
            "\n  New Layers: erofs\n", "\n Containers: 3\n  Running: 1\n", "\n  Stopped: 2\n Images: 2\n",
            "\n Total Memory: 7.451GiB\n",
        ] {
            #expect(info.text.contains(line))
        }
        #expect(try GoTemplate("{{.NCPU}} {{.DockerRootDir}} {{.ContainersStopped}}").render(info.json) == "2 /r 2")
        #expect(SystemFacts.value("PRETTY_NAME", of: "A=1\nPRETTY_NAME=\"Debian 12\"\n") == "Debian 12")
        #expect(SystemFacts.totalMemory("MemTotal:        7812 kB\nMemFree: 1 kB\n") == 7812 * 1024)
    }

    @Test func oneObjectOverAnother() {
        let under: JSON = ["a": 1, "b": 2]
        #expect(under.overlaid(by: ["b": 3, "c": 4]) == ["a": 1, "b": 3, "c": 4])
        #expect(under.overlaid(by: .null) == under)
    }
}
