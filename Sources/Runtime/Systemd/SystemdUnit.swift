import CLinux
import LinuxSystem
import OCI

/// A transient unit of systemd: a scope that holds a container's processes, or a slice.
///
/// Systemd owns the upper part of the cgroup tree where it runs; whoever wants a cgroup there asks it for a unit, and
/// gets that unit's cgroup to do as it likes (`Delegate=`). Every call connects anew and waits for systemd, at most
/// half a minute.
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

    /// Starts the unit with a process in it, and returns when that process is in the unit's cgroup. Limits that systemd
    /// does not know, and the device filter, are for `Cgroup.place` afterwards.
    ///
    /// - Parameters:
    ///   - pid: nil for a slice, which holds none.
    ///   - annotations: the container's; those named `org.systemd.property.…` become properties, and win over the
    ///     others.
    package func start(
        pid: pid_t?,
        resources: LinuxResources,
        description: String,
        annotations: [String: String] = [:]
    ) throws(EngineError) {
        var manager = try SystemdManager(isUser: isUserManager)
        var properties = SystemdProperties(
            starting: self,
            pid: pid.map { UInt32(bitPattern: $0) },
            description: description
        )
        let version = try needsVersion(resources) ? manager.version() : 0
        try properties.addDevices(resources.devices)
        try properties.add(resources, isUnified: isUnified) { () throws(EngineError) in version }
        if isUnified, version >= 253, let group = resources.unified["memory.oom.group"]?.trimmed {
            // It can be set at the start only.
            if group == "0" || group == "1" { properties.add("OOMPolicy", .string(group == "1" ? "kill" : "continue")) }
        }
        try properties.add(annotations: annotations)
        try manager.start(name, properties, mayExist: isSlice && pid == nil)
    }

    /// Changes the limits that the running unit's properties keep: only what `changes` mentions. `Cgroup.update` calls it,
    /// and does the rest.
    ///
    /// Device rules on v1 are for a paused container: systemd denies everything while it applies them.
    ///
    /// - Parameter known: what the container was given until now.
    package func set(_ changes: LinuxResources, known: LinuxResources? = nil) throws(EngineError) {
        var manager = try SystemdManager(isUser: isUserManager)
        let version = try needsVersion(changes) ? manager.version() : 0
        var properties = SystemdProperties()
        if !changes.devices.isEmpty { try properties.addDevices(changes.devices) }
        try properties.add(changes, known: known, isUnified: isUnified) { () throws(EngineError) in version }
        guard !properties.list.isEmpty else { return }
        try manager.set(name, properties)
    }

    /// Stops the unit, which ends what runs in it, and waits until it is gone. One that does not exist is stopped
    /// already.
    package func stop() throws(EngineError) {
        var manager = try SystemdManager(isUser: isUserManager)
        try manager.stop(name)
    }

    /// Lets systemd forget a unit that failed; until then its name is taken. One that has not failed stays.
    package func resetFailed() throws(EngineError) {
        var manager = try SystemdManager(isUser: isUserManager)
        manager.resetFailed(name)
    }

    /// The quota as systemd rounds it up, to whole percents of a processor: what is then written into the cgroup's own
    /// file is to be the same.
    package func rounding(_ resources: LinuxResources, known: LinuxResources? = nil) -> LinuxResources {
        guard let quota = resources.cpu.quota, quota > 0 else { return resources }
        let given = resources.cpu.period ?? known?.cpu.period ?? 0
        let period = given == 0 ? 100_000 : given
        var result = resources
        let perSecond = SystemdProperties.quotaPerSecond(quota, period)
        let product = perSecond.multipliedReportingOverflow(by: period)
        if !product.overflow { result.cpu.quota = Int64(product.partialValue / 1_000_000) }
        return result
    }

    /// The cgroup of the calling user's manager below the root, in which its units are.
    package static func userManagerCgroup() throws(EngineError) -> String {
        var manager = try SystemdManager(isUser: true)
        return try manager.property("ControlGroup")
    }

    /// Systemd's version matters for few settings; asking for it takes a call.
    private func needsVersion(_ resources: LinuxResources) -> Bool {
        resources.cpu.idle == 1 || resources.unified.keys.contains { $0 == "cpu.idle" || $0 == "memory.oom.group" }
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
