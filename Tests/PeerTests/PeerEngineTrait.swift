import LinuxSystem
import TestSupport
import Testing

/// Starts an engine before the first test of a suite, ends it after the last, and then looks at what is left.
struct PeerEngineTrait: SuiteTrait, TestScoping {
    let kind: PeerEngine.Kind

    func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing tests: @Sendable () async throws -> Void
    ) async throws {
        let began = Clock.monotonic
        let engine = try PeerEngine(kind)
        let started = Clock.monotonic
        let result: Result<Void, any Error>
        do { result = .success(try await PeerEngine.$running.withValue(engine) { try await tests() }) } catch {
            result = .failure(error)
        }
        let tested = Clock.monotonic
        do { try PeerEngine.$running.withValue(engine) { try engine.expectNothingLeft() } } catch {
            Issue.record("looking for what is left: \(error)")
        }
        try engine.stop()
        let times = [started - began, tested - started, Clock.monotonic - tested].map { "\($0 / 1_000_000) ms" }
        print("\(kind): start \(times[0]), tests \(times[1]), end \(times[2])")
        try result.get()
    }
}

extension SuiteTrait where Self == PeerEngineTrait {
    static func engine(_ kind: PeerEngine.Kind) -> Self { PeerEngineTrait(kind: kind) }
}

extension Trait where Self == IssueHandlingTrait {
    /// Adds to a failure what the engine's log says and how the runtime was called.
    static var withLogs: Self {
        .compactMapIssues { issue in
            // The suites inside of the suite have the trait, too.
            guard let engine = PeerEngine.running, !issue.comments.contains(where: { $0.rawValue.hasPrefix("-- ") })
            else { return issue }
            var issue = issue
            issue.comments.append(Comment(rawValue: engine.logs))
            return issue
        }
    }
}

extension PeerEngine {
    /// Removes all containers the engine's way. The runtime must then know none, and no cgroup, mount or process of
    /// one may be there.
    func expectNothingLeft() throws {
        switch kind {
        case .podman: try must("pod rm --all --force --time 0 && podman rm --all --force --time 0")
        case .docker: try must("ps --all --quiet | xargs -r docker rm --force")
        case .containerd:
            try must("containers ls -q | xargs -r -n 1 sh -c 'ctr tasks delete --force $0; ctr containers rm $0'")
        }
        // The folders in which the engines keep the runtime's state, and the runtime's own.
        let lists = try inside(
            """
            for root in /run/docker/runtime-*/moby /run/containerd/runc/default; do
                [ ! -d $root ] || "$PEER_RUNTIME" --root $root list -q
            done
            "$PEER_RUNTIME" list -q
            """
        )
        #expect(lists.out == "" && lists.code == 0, "\(lists)")
        // podman leaves those of its pods in hierarchies that have no controller.
        let cgroups = try eventuallyEmpty(
            """
            depth=1; [ ! -d /sys/fs/cgroup/memory ] || depth=2
            find /sys/fs/cgroup -mindepth $depth -type d |
                grep -vE '/(libpod_parent|conmon|docker|default|init)$|/libpod_parent/[0-9a-f]{64}$'
            """
        )
        #expect(cgroups == [], "cgroups")
        let mounts = try eventuallyEmpty("grep -oE ' /run/[^ ]*(merged|rootfs|/shm)' /proc/mounts")
        #expect(mounts == [], "mounts")
        // What has another root than process 1 is a container's. Engines and their monitors have the same.
        let processes = try eventuallyEmpty(
            """
            for process in /proc/[0-9]*; do
                root=$(readlink $process/ns/mnt) && [ "$root" != "$(readlink /proc/1/ns/mnt)" ] || continue
                echo "$process $(tr '\\0' ' ' < $process/cmdline)"
            done
            """
        )
        #expect(processes == [], "processes")
    }

    /// The kernel, and an engine's own tidying, take their time.
    private func eventuallyEmpty(_ line: String) throws -> [String] {
        var lines: [String] = []
        _ = try eventually(5000) {
            lines = try inside(line).lines
            return lines.isEmpty
        }
        return lines
    }
}
