import CLinux
import LinuxSystem
import OCI

/// A transient unit of systemd: a scope that holds a container's processes, or a slice.
///
/// Systemd owns the upper part of the cgroup tree where it runs; whoever wants a cgroup there asks it for a unit, and gets
/// that unit's cgroup to do as it likes (`Delegate=`).
package struct SystemdUnit: Equatable, Sendable {
    /// "minirun-x.scope".
    package let name: String
    /// The slice that it is in: "system.slice".
    package let slice: String
    /// Whether the user's manager has it, instead of the machine's.
    package let isUserManager: Bool
    /// Whether cgroup v2 alone is in use: properties have other names on v1.
    package let isUnified: Bool

    package init(name: String, slice: String, isUserManager: Bool, isUnified: Bool) {
        self.name = name
        self.slice = slice
        self.isUserManager = isUserManager
        self.isUnified = isUnified
    }

    package var isSlice: Bool { name.hasSuffix(".slice") }

    /// Starts the unit with a process in it, and waits until systemd has done so.
    package func start(
        pid: pid_t,
        resources: LinuxResources,
        description: String,
        annotations: [String: String] = [:]
    ) throws(EngineError) {
        throw EngineError(.unsupported, "systemd is not asked yet")
    }

    /// Changes the limits that the running unit's properties keep.
    package func set(_ resources: LinuxResources) throws(EngineError) {
        throw EngineError(.unsupported, "systemd is not asked yet")
    }

    /// Stops the unit and waits until it is gone. One that does not exist is stopped already.
    package func stop() throws(EngineError) {
        throw EngineError(.unsupported, "systemd is not asked yet")
    }

    /// Lets systemd forget a unit that failed; until then its name is taken.
    package func resetFailed() throws(EngineError) {
        throw EngineError(.unsupported, "systemd is not asked yet")
    }

    /// The cgroup of the calling user's manager, below which its units are.
    package static func userManagerCgroup() throws(EngineError) -> String {
        throw EngineError(.unsupported, "systemd is not asked yet")
    }
}

extension SystemdUnit {
    /// For a container's state file.
    package var json: JSON {
        [
            "name": .string(name), "slice": .string(slice), "isUserManager": .bool(isUserManager),
            "isUnified": .bool(isUnified),
        ]
    }

    package init(_ json: JSON) throws(EngineError) {
        guard let name = json["name"]?.string, let slice = json["slice"]?.string else {
            throw EngineError(.corrupt, "a systemd unit without a name")
        }
        self.init(
            name: name,
            slice: slice,
            isUserManager: json["isUserManager"]?.bool ?? false,
            isUnified: json["isUnified"]?.bool ?? true
        )
    }
}
