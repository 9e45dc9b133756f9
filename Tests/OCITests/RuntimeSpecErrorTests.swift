import OCI
import Testing

/// What a `config.json` may not say, with the text that a person gets.
@Suite("Runtime specification: errors") struct RuntimeSpecErrorTests {
    private func failure(_ patch: String) -> String? {
        let error = #expect(throws: EngineError.self, "\(patch)") { try GivenSpec.read(patch) }
        return error?.message
    }

    /// Texts that callers of runc know.
    @Test(arguments: [
        (#"{"process":null}"#, "process property must not be empty"),
        (#"{"root":null}"#, "root must be specified"),
        (#"{"process":{"cwd":""}}"#, "Cwd property must not be empty"),
        (#"{"process":{"cwd":"a"}}"#, "Cwd must be an absolute path"),
        (#"{"process":{"args":[]}}"#, "args must not be empty"),
        (#"{"linux":{"rootfsPropagation":"private,shared"}}"#, "rootfsPropagation=private,shared is not supported"),
    ])
    func wellKnown(patch: String, text: String) { #expect(failure(patch) == text) }

    @Test func aDocumentThatIsNoObject() {
        for text in ["null", "[]", "\"\"", "1"] {
            let error = #expect(throws: EngineError.self) { try RuntimeSpec(JSON.parse(text)) }
            #expect(error?.message == "invalid config.json: not an object")
        }
    }

    @Test(arguments: [
        (#"{"ociVersion":null}"#, #""ociVersion" is missing"#),
        (#"{"ociVersion":1}"#, #""ociVersion" is not a string"#),
        (#"{"process":[]}"#, "process: not an object"),
        (#"{"root":{"path":""}}"#, #"root: "path" is missing"#),
        (#"{"root":{"readonly":"yes"}}"#, #"root: "readonly" is not true or false"#),
        (#"{"hostname":["a"]}"#, #""hostname" is not a string"#),
        (#"{"hostname":"a\u0000b"}"#, #""hostname" holds a null byte"#),
        (#"{"annotations":{"":"x"}}"#, #""annotations" has an empty key"#),
        (#"{"annotations":{"a":1}}"#, #""annotations.a" is not a string"#),
        (#"{"mounts":{}}"#, #""mounts" is not a list"#),
        (#"{"mounts":[1]}"#, "mounts[0]: not an object"),
        (#"{"mounts":[{"destination":"/a"},{"type":"proc"}]}"#, #"mounts[1]: "destination" is missing"#),
        (#"{"mounts":[{"destination":"/a","source":"b\u0000c"}]}"#, #"mounts[0]: "source" holds a null byte"#),
        (#"{"mounts":[{"destination":"/a","options":["ro",1]}]}"#, #"mounts[0]: "options" is not a list of strings"#),
        (
            #"{"mounts":[{"destination":"/a","uidMappings":[{"containerID":0,"hostID":0}]}]}"#,
            #"mounts[0].uidMappings[0]: "size" is missing"#
        ),
        (#"{"hooks":{"poststop":[{"args":["a"]}]}}"#, #"hooks.poststop[0]: "path" is missing"#),
        (#"{"hooks":{"prestart":[{"path":"a"}]}}"#, #"hooks.prestart[0]: "path" is "a", not an absolute path"#),
        (
            #"{"hooks":{"poststart":[{"path":"/a","timeout":0}]}}"#,
            #"hooks.poststart[0]: "timeout" is 0, not more than 0 seconds"#
        ),
        (
            #"{"hooks":{"poststart":[{"path":"/a","timeout":1.5}]}}"#,
            #"hooks.poststart[0]: "timeout" is no whole number from -9223372036854775808 to 9223372036854775807"#
        ),
    ])
    func top(patch: String, text: String) { #expect(failure(patch) == "invalid config.json: " + text) }

    @Test(arguments: [
        (#"{"args":"sh"}"#, #""args" is not a list of strings"#),
        (#"{"args":["a\u0000"]}"#, #""args" holds a null byte"#),
        (#"{"env":[1]}"#, #""env" is not a list of strings"#),
        (#"{"terminal":1}"#, #""terminal" is not true or false"#),
        (#"{"rlimits":[{"type":"RLIMIT_CORE","soft":1}]}"#, #""hard" is missing"#),
        (#"{"rlimits":[{"soft":1,"hard":1}]}"#, #""type" is missing"#),
        (
            #"{"rlimits":[{"type":"A","soft":1,"hard":1},{"type":"B","soft":1,"hard":1},{"type":"A","soft":2,"hard":2}]}"#,
            #""rlimits" has "A" more than once"#
        ),
        (#"{"consoleSize":{"width":1}}"#, #""height" is missing"#),
        (#"{"consoleSize":{"width":70000,"height":1}}"#, #""width" is no whole number from 0 to 65535"#),
        (#"{"user":{"additionalGids":[1,"2"]}}"#, "additionalGids"),
        (#"{"user":{"umask":-1}}"#, #""umask" is no whole number from 0 to 4294967295"#),
        (#"{"capabilities":{"ambient":"CAP_KILL"}}"#, #""ambient" is not a list of strings"#),
        (#"{"scheduler":{}}"#, #""policy" is missing"#),
        (#"{"scheduler":{"policy":"SCHED_BEST"}}"#, #"unknown "policy": "SCHED_BEST""#),
        (#"{"scheduler":{"policy":"SCHED_RR","flags":["X"]}}"#, #"unknown "flags": "X""#),
        (#"{"scheduler":{"policy":"SCHED_RR","runtime":-1}}"#, #""runtime" is no whole number"#),
        (#"{"ioPriority":{"priority":1}}"#, #""class" is missing"#),
        (#"{"ioPriority":{"class":"IOPRIO_CLASS_NONE"}}"#, #"unknown "class""#),
        (#"{"oomScoreAdj":"1"}"#, #""oomScoreAdj" is no whole number"#),
    ])
    func process(patch: String, text: String) throws {
        let message = try #require(failure("{\"process\":\(patch)}"))
        #expect(message.hasPrefix("invalid config.json: process") && message.contains(text), "\(message)")
    }

    @Test(arguments: [
        (#"{"namespaces":[{"type":"pid"},{"type":"pid","path":"/a"}]}"#, #"duplicated namespace "pid""#),
        (#"{"namespaces":[{"type":"disk"}]}"#, #"namespaces[0]: namespace "disk" does not exist"#),
        (#"{"namespaces":[{}]}"#, #"namespaces[0]: "type" is missing"#),
        (#"{"namespaces":[{"type":"pid","path":"a"}]}"#, #"namespaces[0]: "path" is "a", not an absolute path"#),
        (#"{"uidMappings":[{"containerID":0,"hostID":0,"size":0}]}"#, "0 ids from there on are none or too many"),
        (#"{"gidMappings":[{"containerID":1,"hostID":0,"size":4294967295}]}"#, "none or too many"),
        (#"{"devices":[{"path":"/a","type":"x"}]}"#, #"devices[0]: the type "x" is none of c, b, u and p"#),
        (#"{"devices":[{"path":"/a","type":"c","major":1}]}"#, #"devices[0]: "minor" is missing"#),
        (#"{"devices":[{"type":"p"}]}"#, #"devices[0]: "path" is missing"#),
        (#"{"timeOffsets":{"realtime":{}}}"#, #"has a clock "realtime""#),
        (#"{"timeOffsets":{"boottime":{"nanosecs":1000000000}}}"#, "timeOffsets.boottime: \"nanosecs\" is 1000000000"),
        (#"{"timeOffsets":{"boottime":1}}"#, "timeOffsets.boottime: not an object"),
        (#"{"personality":{}}"#, #"personality: "domain" is missing"#),
        (#"{"personality":{"domain":"SOLARIS"}}"#, #"invalid personality domain "SOLARIS""#),
        (#"{"intelRdt":{"schemata":"L3:0=f"}}"#, #"intelRdt: "schemata" is not a list of strings"#),
        (#"{"netDevices":{"eth0":"eth1"}}"#, "netDevices.eth0: not an object"),
        (#"{"sysctl":{"a.b":1}}"#, #""sysctl.a.b" is not a string"#),
        (#"{"maskedPaths":["/a","b"]}"#, #""maskedPaths" has "b", which is not an absolute path"#),
        (#"{"readonlyPaths":["a"]}"#, #""readonlyPaths" has "a", which is not an absolute path"#),
        (#"{"resources":{"memory":{"limit":"1g"}}}"#, #"linux.resources.memory: "limit" is no whole number"#),
        (#"{"seccomp":{"defaultAction":"X"}}"#, #"linux.seccomp: unknown "defaultAction": "X""#),
        (#"{"seccomp":{"syscalls":[{"names":["a"],"action":"SCMP_ACT_ALLOW"}]}}"#, #""defaultAction" is missing"#),
    ])
    func linux(patch: String, text: String) throws {
        let message = try #require(failure("{\"linux\":\(patch)}"))
        #expect(message.hasPrefix("invalid config.json: linux") && message.contains(text), "\(message)")
    }
}
