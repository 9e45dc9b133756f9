import CLinux
import LinuxSystem
import OCI
import Runtime

/// `minirun oci events`
enum OCIEvents {
    static let verb = OCIVerb(
        "events",
        "display container events such as OOM notifications, cpu, memory, and IO usage statistics",
        options: {
            [
                .value("interval", .duration, "set the stats collection interval", default: "5s"),
                .flag("stats", "display the container's stats then exit"),
            ]
        },
        run: run
    )

    private static func run(_ call: OCICall) throws -> Int32 {
        let id = try call.id()
        let interval = try call.arguments.duration("interval") ?? 0
        guard interval > 0 else { throw EngineError(.invalid, "duration interval must be greater than 0") }
        let runtime = try call.runtime()
        let cgroup = try runtime.runningCgroup(id)
        if call.arguments.flag("stats") {
            try show(try cgroup.eventsJSON(id: id))
        } else {
            try watch(cgroup, id, interval: UInt64(interval), call.log)
        }
        return 0
    }

    /// Until the container's end.
    private static func watch(_ cgroup: Cgroup, _ id: String, interval: UInt64, _ log: OCILog) throws {
        var events = try CgroupEvents(cgroup)
        var next = Clock.monotonic &+ interval
        while true {
            let now = Clock.monotonic
            let wait = next > now ? (next - now + 999_999) / 1_000_000 : 0
            var poll = pollfd(fd: events.descriptor.raw, events: Int16(POLLIN), revents: 0)
            let ready = CLinux.poll(&poll, 1, CInt(clamping: wait))
            if ready < 0, errno != EINTR { throw SystemError("waiting for events") }
            if ready > 0 {
                while let event = try events.next() {
                    switch event {
                    case .outOfMemory: try show(["type": "oom", "id": .string(id)])
                    case .ended: return
                    }
                }
            }
            if Clock.monotonic >= next {
                next = Clock.monotonic &+ interval
                // It may be going at this very moment; then the next event says so.
                do throws(SystemError) { try show(try cgroup.eventsJSON(id: id)) } catch { log.warn("\(error)") }
            }
        }
    }

    /// One line. A reader that went away ends it.
    private static func show(_ event: JSON) throws(SystemError) {
        try StandardStream.output.write(event.text() + "\n")
    }
}
