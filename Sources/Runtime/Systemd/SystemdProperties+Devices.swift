import OCI

extension SystemdProperties {
    /// The device rules, which systemd applies anew whenever it looks after the unit: without them it would let
    /// everything pass. It knows lists of permissions only; for a list of denials it is told to deny everything, and
    /// minirun's own filter then takes the place of systemd's.
    mutating func addDevices(_ rules: [LinuxResources.DeviceRule]) throws(EngineError) {
        let policy = try DevicePolicy(rules + LinuxResources.DeviceRule.runtimeDefaults)
        // An empty list clears what was there; the next one adds.
        add("DeviceAllow", SystemdProperties.devices([]))
        add("DevicePolicy", .string(policy.isUnrestricted ? "auto" : "strict"))
        if policy.allowsByDefault { return }
        add("DeviceAllow", SystemdProperties.devices(policy.exceptions))
    }

    private static func devices(_ exceptions: [DevicePolicy.Exception]) -> DBusValue {
        .array(
            of: "(ss)",
            exceptions.compactMap { exception in
                let kind = exception.kind == .block ? "block" : "char"
                let path: String
                switch (exception.major, exception.minor) {
                case (nil, nil): path = "\(kind)-*"
                case (let major?, nil): path = "\(kind)-\(major)"
                case (let major?, let minor?): path = "/dev/\(kind)/\(major):\(minor)"
                // It has no form for one minor number of all majors: minirun's own filter allows it.
                case (nil, _?): return nil
                }
                return .structure([.string(path), .string(exception.access.text)])
            }
        )
    }
}
