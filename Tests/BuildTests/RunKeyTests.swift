import Images
import OCI
import Runner
import Testing

@testable import Build

/// Whatever changes what a RUN sees is in its cache key: of every property of the plan somebody has said here whether it counts, and
/// a new one fails these tests until somebody does.
@Suite struct RunKeyTests {
    private static let digest = SHA256Digest.of([1])

    /// A step with all that its key can have.
    private struct Inputs {
        var mount: RunMount
        var target = "/t"
        var run = RunStep(
            arguments: ["a"],
            environment: ["A=1"],
            workingDirectory: "/w",
            user: "u",
            mounts: [],
            network: .default,
            security: .sandbox,
            devices: [],
            script: InlineFile(name: "EOF", content: "#!x")
        )
        var request = BuildRequest(context: "/c")
        var platform = Platform(architecture: "amd64")
        var content: Digest = RunKeyTests.digest

        init(_ kind: RunMount.Kind = .bind) throws {
            mount = try RunMount("type=tmpfs,target=/t") { (text) throws(MessageError) in text }
            mount.kind = kind
        }

        var digest: Digest {
            var run = run
            run.mounts = [MountStep(mount: mount, source: .context, target: target)]
            var key = CacheKey("run", parent: nil, epoch: nil)
            RunKey(run: run, request: request, platform: platform, binds: [0: content]).add(to: &key)
            return key.digest
        }
    }

    private func expect(_ isOther: Bool, _ kind: RunMount.Kind, _ what: String, _ change: (inout Inputs) -> Void)
        throws
    {
        let before = try Inputs(kind)
        var after = before
        change(&after)
        #expect((before.digest != after.digest) == isOther, "\(kind) \(what)")
    }

    private func properties(of value: Any) -> Set<String> {
        Set(Mirror(reflecting: value).children.compactMap(\.label))
    }

    @Test func equalInputsHit() throws {
        for kind in RunMount.Kind.allCases { #expect(try Inputs(kind).digest == Inputs(kind).digest) }
    }

    @Test func everyPropertyOfTheStepCounts() throws {
        let changes: [String: (inout Inputs) -> Void] = [
            "arguments": { $0.run.arguments = ["a", ""] }, "environment": { $0.run.environment = ["A=2"] },
            "workingDirectory": { $0.run.workingDirectory = "/" }, "user": { $0.run.user = "0" },
            "network": { $0.run.network = .none }, "script": { $0.run.script = nil },
            "mounts": { $0.target = "/u" },
        ]
        // Refused before there is a key.
        let refused: Set = ["security", "devices"]
        #expect(try properties(of: Inputs().run) == Set(changes.keys).union(refused))
        for (name, change) in changes { try expect(true, .bind, name, change) }
        try expect(true, .bind, "the script's name") { $0.run.script = InlineFile(name: "E", content: "#!x") }
        try expect(true, .bind, "the script's content") { $0.run.script = InlineFile(name: "EOF", content: "#!y") }
        try expect(true, .bind, "platform") { $0.platform = Platform(architecture: "arm64") }
    }

    /// Which properties count for which kind of mount.
    @Test func everyPropertyOfAMountCounts() throws {
        let all = Set(RunMount.Kind.allCases)
        let changes: [String: (counts: Set<RunMount.Kind>, change: (inout Inputs) -> Void)] = [
            // Of a bind its content counts, not where that comes from.
            "from": ([], { $0.mount.from = "x" }), "source": ([], { $0.mount.source = "x" }),
            // The step's own target, made absolute, counts.
            "target": ([.cache], { $0.mount.target = "x" }),
            "isReadOnly": (all, { $0.mount.isReadOnly.toggle() }), "size": ([.tmpfs], { $0.mount.size = 1 }),
            "id": ([.cache], { $0.mount.id = "x" }), "sharing": ([.cache], { $0.mount.sharing = .locked }),
            "isRequired": ([.secret, .ssh], { $0.mount.isRequired = true }),
            // Secrets are refused.
            "environmentName": ([], { $0.mount.environmentName = "X" }),
            "mode": ([.cache], { $0.mount.mode = 0o700 }), "uid": ([.cache], { $0.mount.uid = 1 }),
            "gid": ([.cache], { $0.mount.gid = 1 }),
            "kind": (all, { $0.mount.kind = $0.mount.kind == .cache ? .tmpfs : .cache }),
        ]
        #expect(try properties(of: Inputs().mount) == Set(changes.keys))
        #expect(
            try properties(of: MountStep(mount: Inputs().mount, source: .context, target: "")) == [
                "mount", "source", "target",
            ]
        )
        for kind in all {
            for (name, (counts, change)) in changes { try expect(counts.contains(kind), kind, name, change) }
            try expect(true, kind, "the absolute target") { $0.target = "/other" }
            try expect(kind == .bind, kind, "content") { $0.content = SHA256Digest.of([2]) }
        }
        // What is said and what is meant anyway are one.
        try expect(false, .cache, "the usual mode") { $0.mount.mode = 0o755 }
        try expect(false, .cache, "the usual owner") { ($0.mount.uid, $0.mount.gid) = (0, 0) }
        try expect(false, .cache, "the usual sharing") { $0.mount.sharing = .shared }
    }

    /// What a build was asked for beside the Dockerfile.
    @Test func everyPropertyOfTheRequestCounts() throws {
        let limit = RuntimeSpec.ResourceLimit(type: "RLIMIT_NOFILE", soft: 1, hard: 2)
        let changes: [String: (isOther: Bool, change: (inout Inputs) -> Void)] = [
            "network": (true, { $0.request.network = .none }),
            "addedHosts": (true, { $0.request.addedHosts = ["a:1.2.3.4"] }),
            "sharedMemorySize": (true, { $0.request.sharedMemorySize = 1 }),
            "limits": (true, { $0.request.limits = [limit] }),
            // These make the plan, whose steps count, and the image.
            "context": (false, { $0.request.context = "/d" }),
            "definition": (false, { $0.request.definition = .text([]) }),
            "tags": (false, { $0.request.tags = [(try? ImageReference("x"))].compactMap(\.self) }),
            "arguments": (false, { $0.request.arguments = ["a": "b"] }), "target": (false, { $0.request.target = "x" }),
            "labels": (false, { $0.request.labels = ["a": "b"] }), "noCache": (false, { $0.request.noCache = true }),
            "pull": (false, { $0.request.pull = true }), "platform": (false, { $0.request.platform = .host }),
            // It is in every step's key, whatever its kind (CacheKey).
            "sourceDateEpoch": (false, { $0.request.sourceDateEpoch = "1" }),
        ]
        #expect(properties(of: BuildRequest(context: "")) == Set(changes.keys))
        for (name, (isOther, change)) in changes { try expect(isOther, .bind, name, change) }
        try expect(true, .bind, "a limit's kind") { $0.request.limits = [limit] }
        let limits = [("RLIMIT_NOFILE", 1, 2), ("RLIMIT_NOFILE", 1, 3), ("RLIMIT_NOFILE", 2, 2), ("RLIMIT_CORE", 1, 2)]
        let keys = try limits.map { type, soft, hard in
            var inputs = try Inputs()
            inputs.request.limits = [RuntimeSpec.ResourceLimit(type: type, soft: UInt64(soft), hard: UInt64(hard))]
            return inputs.digest
        }
        #expect(Set(keys).count == limits.count)
        #expect(CacheKey("run", parent: nil, epoch: 1).digest != CacheKey("run", parent: nil, epoch: nil).digest)
    }
}
