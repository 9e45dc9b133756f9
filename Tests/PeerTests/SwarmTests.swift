import LinuxSystem
import OCI
import TestSupport
import Testing

extension DockerTests {
    /// A swarm of one node, whose tasks are containers of the default runtime.
    @Suite struct Swarm {
        let docker: PeerEngine
        init() throws { docker = try engine() }

        @Test func aServicesLife() throws {
            try docker.must("swarm init --advertise-addr 10.213.0.1")
            try docker.must(
                """
                service create --detach --no-resolve-image --name service --stop-signal KILL --restart-delay 100ms \
                --env VERSION=1 --limit-memory 32m busybox sleep 1000
                """
            )
            #expect(try eventually(20_000) { try running().count == 1 })
            #expect(try versions() == ["1"])
            let first = try #require(try running().first)
            #expect(try docker.json("inspect \(first)")["HostConfig"]?["Runtime"]?.string == "minirun")
            #expect(try docker.limit(of: first, "memory/memory.limit_in_bytes", "memory.max") == "\(32 << 20)")

            try docker.must("service scale --detach service=5")
            #expect(try eventually(20_000) { try running().count == 5 })

            // A task that dies gets a successor.
            try docker.must("kill \(first)")
            #expect(try eventually(20_000) { try running().count == 5 && !running().contains(first) })

            try docker.must(
                "service update --detach --no-resolve-image --env-add VERSION=2 --update-parallelism 5 --update-monitor 100ms service"
            )
            let updated = try eventually(20_000) {
                try docker.must("service inspect --format '{{.UpdateStatus.State}}' service") == "completed"
            }
            #expect(updated)
            #expect(try eventually(20_000) { try versions() == Array(repeating: "2", count: 5) })

            try docker.must("service rm service")
            #expect(
                try eventually(20_000) {
                    try docker.must("ps --all --quiet --filter label=com.docker.swarm.task") == ""
                }
            )
            try docker.must("swarm leave --force")
        }

        private func running() throws -> [String] {
            try docker("ps --quiet --no-trunc --filter label=com.docker.swarm.service.name=service").lines
        }

        private func versions() throws -> [String] {
            try running().map { try docker("exec \($0) sh -c 'echo $VERSION'").line }
        }
    }
}
