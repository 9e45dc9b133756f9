import OCI
import Testing

@Suite("Runtime specification: the example") struct RuntimeSpecExampleTests {
    private static let process =
        #""process":{"terminal":true,"user":{"uid":0,"gid":0},"args":["sh"],"#
        + #""env":["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin","TERM=xterm"],"cwd":"/","#
        + #""capabilities":{"bounding":["CAP_AUDIT_WRITE","CAP_KILL","CAP_NET_BIND_SERVICE"],"#
        + #""effective":["CAP_AUDIT_WRITE","CAP_KILL","CAP_NET_BIND_SERVICE"],"#
        + #""permitted":["CAP_AUDIT_WRITE","CAP_KILL","CAP_NET_BIND_SERVICE"]},"#
        + #""rlimits":[{"type":"RLIMIT_NOFILE","hard":1024,"soft":1024}],"noNewPrivileges":true}"#

    @Test func isRuncs() {
        let spec = RuntimeSpec.example(rootless: false, cgroupNamespace: false)
        let text = spec.json.text()
        #expect(
            text.hasPrefix(
                #"{"ociVersion":"1.3.0","# + Self.process
                    + #","root":{"path":"rootfs","readonly":true},"hostname":"minirun","mounts":[{"destination":"/proc","type":"proc","source":"proc"},{"destination":"/dev","type":"tmpfs","source":"tmpfs","options":["nosuid","strictatime","mode=755","size=65536k"]},"#
            )
        )
        #expect(
            text.contains(
                #""linux":{"resources":{"devices":[{"allow":false,"access":"rwm"}]},"namespaces":[{"type":"pid"},{"type":"network"},{"type":"ipc"},{"type":"uts"},{"type":"mount"}],"maskedPaths":["/proc/acpi","#
            )
        )
        #expect(
            text.hasSuffix(#""readonlyPaths":["/proc/bus","/proc/fs","/proc/irq","/proc/sys","/proc/sysrq-trigger"]}}"#)
        )
    }

    @Test func isIndentedByTabs() {
        let text = String(decoding: RuntimeSpec.example(rootless: false).json.bytesIndentedByTabs(), as: UTF8.self)
        #expect(text.hasPrefix("{\n\t\"ociVersion\": \"1.3.0\",\n\t\"process\": {\n\t\t\"terminal\": true,\n"))
        #expect(text.hasSuffix("\n\t\t\t\"/proc/sysrq-trigger\"\n\t\t]\n\t}\n}"))
    }

    @Test func rootlessHasAUserNamespaceAndTheHostsNetwork() {
        let spec = RuntimeSpec.example(rootless: true, uid: 1000, gid: 100)
        #expect(spec.linux.namespaces.map(\.type) == [.pid, .ipc, .uts, .mount, .cgroup, .user])
        #expect(spec.linux.uidMappings == [RuntimeSpec.IDMapping(containerID: 0, hostID: 1000, size: 1)])
        #expect(spec.linux.gidMappings == [RuntimeSpec.IDMapping(containerID: 0, hostID: 100, size: 1)])
        #expect(spec.linux.resources == LinuxResources())
        #expect(!spec.mounts.flatMap(\.options).contains("gid=5"))
        #expect(spec.mounts.first { $0.destination == "/sys" }?.isBind == true)
    }

    @Test(arguments: [false, true]) func isValidAndComesBack(rootless: Bool) throws {
        let spec = RuntimeSpec.example(rootless: rootless)
        #expect(throws: Never.self) { try spec.validate() }
        #expect(try RuntimeSpec(spec.json).json.text() == spec.json.text())
    }
}
