import LinuxSystem
import OCI
import TestSupport
import Testing

extension PodmanTests {
    @Suite struct Pods {
        let podman: PeerEngine
        init() throws { podman = try engine() }

        @Test func namespacesAreShared() throws {
            try podman.must("pod create --name shared --network none --hostname podhost")
            try podman.must("run -d --pod shared --name one busybox sleep 1000")
            try podman.must("run -d --pod shared --name two busybox sleep 1000")
            let script = "for n in net ipc uts pid mnt; do readlink /proc/self/ns/\\$n; done; hostname"
            let one = try podman.must("exec one sh -c \"\(script)\"").split(separator: "\n")
            let two = try podman.must("exec two sh -c \"\(script)\"").split(separator: "\n")
            #expect(one.count == 6 && one[..<3] == two[..<3] && one[3] != two[3] && one[4] != two[4], "\(one) \(two)")
            #expect(one.last == "podhost" && two.last == "podhost")
            let pod = try podman.json("pod inspect shared")
            #expect(pod["NumContainers"]?.int == 3 && pod["State"]?.string == "Running", "\(pod.text())")

            try podman.must("pod pause shared")
            #expect(try podman.must("inspect --format '{{.State.Status}}' one") == "paused")
            try podman.must("pod unpause shared")
            try podman.must("pod stop --time 0 shared")
            #expect(try podman.must("inspect --format '{{.State.Status}}' two") == "exited")
            try podman.must("pod start shared")
            #expect(try podman("exec two hostname").line == "podhost")
            try podman.must("pod rm --force --time 0 shared")
            #expect(try podman.must("ps --all --quiet") == "")
        }

        @Test func containersTalkOverLoopback() throws {
            try podman.must("pod create --name talking --network none --share net,pid")
            try podman.must(
                "run -d --pod talking --name server busybox sh -c 'echo hello > /tmp/index.html; httpd -f -p 8080 -h /tmp'"
            )
            var answer = ""
            let answered = try eventually {
                answer = try podman("run --rm --pod talking busybox wget -q -O - http://127.0.0.1:8080/index.html").out
                return answer == "hello\n"
            }
            #expect(answered, "\(answer)")
            // With one pid namespace its first process is the pod's own.
            let processes = try podman.must("exec server ps -o pid,comm")
            #expect(processes.contains("    1 catatonit") && processes.contains("httpd"), "\(processes)")
            try podman.must("pod rm --force --time 0 talking")
        }

        @Test func aPodOfKubernetes() throws {
            let file = try podman.write(
                "pod.yaml",
                """
                apiVersion: v1
                kind: Pod
                metadata: {name: described}
                spec:
                  hostNetwork: true
                  containers:
                  - name: main
                    image: localhost/busybox:latest
                    imagePullPolicy: Never
                    command: [sleep, "1000"]
                    env: [{name: FROM, value: kubernetes}]
                    resources: {limits: {memory: 64Mi}}
                    securityContext: {readOnlyRootFilesystem: true, runAsUser: 1000}
                """
            )
            try podman.must("play kube \(file)")
            #expect(
                try podman("exec described-main sh -c 'echo $FROM; id -u; touch /x'").lines == ["kubernetes", "1000"]
            )
            #expect(
                try podman.limit(of: "described-main", "memory/memory.limit_in_bytes", "memory.max") == "\(64 << 20)"
            )
            try podman.must("pod rm --force --time 0 described")
        }

        @Test func containersOnABridgeReachEachOther() throws {
            try podman.must("network create peers")
            try podman.must(
                "run -d --network peers --name web busybox sh -c 'echo served > /tmp/index.html; httpd -f -p 80 -h /tmp'"
            )
            var answer = ""
            let answered = try eventually {
                // The static busybox's wget cannot look names up.
                answer = try podman(
                    "run --rm -i --network peers busybox nc web 80",
                    input: "GET /index.html HTTP/1.0\r\n\r\n"
                ).out
                return answer.hasSuffix("served\n")
            }
            #expect(answered, "\(answer)")
            try podman.must("rm --force --time 0 web")
            try podman.must("network rm peers")
        }
    }

    /// `podman build`, where buildah is the caller of the runtime.
    @Suite struct Builds {
        let podman: PeerEngine
        init() throws { podman = try engine() }

        private func build(_ dockerfile: String, _ options: String = "") throws -> Outcome {
            let folder = try podman.makeFolder("context")
            try podman.write("context/file", "from the context\n")
            try podman.write("context/Dockerfile", dockerfile)
            return try podman("build --isolation oci --network none --no-cache -t localhost/built \(options) \(folder)")
        }

        @Test func runSteps() throws {
            let outcome = try build(
                """
                FROM busybox
                ARG WHO=nobody
                ENV NAME=value
                WORKDIR /work
                COPY file .
                RUN echo "$WHO $NAME $(pwd)" > made && cat file >> made
                USER app
                RUN ["sh", "-c", "id -un > /tmp/user"]
                CMD ["sh", "-c", "cat made /tmp/user; id -un"]
                """,
                "--build-arg WHO=somebody"
            )
            #expect(outcome.code == 0, "\(outcome)")
            #expect(
                try podman("run --rm --network none localhost/built").lines
                    == ["somebody value /work", "from the context", "app", "app"]
            )
            try podman.must("rmi localhost/built")
        }

        @Test func aStepThatFails() throws {
            let outcome = try build("FROM busybox\nRUN echo before; exit 3\nRUN echo never")
            #expect(outcome.code != 0 && outcome.out.contains("before") && !outcome.out.contains("never"), "\(outcome)")
            #expect(outcome.err.contains("exit status 3") || outcome.err.contains("code 3"), "\(outcome)")
            let missing = try build("FROM busybox\nRUN [\"/nosuch\"]")
            #expect(missing.code != 0 && missing.err.contains("/nosuch"), "\(missing)")
        }

        @Test func aStepsLimitsAndMounts() throws {
            let outcome = try build(
                """
                FROM busybox
                RUN --mount=type=tmpfs,target=/scratch grep -c ' /scratch ' /proc/mounts && ulimit -n && \
                    grep CapEff /proc/self/status && touch /dev/shm/x && cat /proc/self/cgroup
                """,
                "--ulimit nofile=77:77 --memory 128m --cap-drop all"
            )
            #expect(outcome.code == 0, "\(outcome)")
            #expect(outcome.lines.contains("1") && outcome.lines.contains("77"), "\(outcome)")
            #expect(outcome.lines.contains { $0.hasPrefix("CapEff") && $0.hasSuffix("0000000000000000") }, "\(outcome)")
            try podman.must("rmi localhost/built")
        }
    }
}
