import OCI

/// A unit and its slice, of a cgroups path in systemd's form.
struct SystemdPlace: Equatable {
    let unit: String
    let slice: String
    /// The slice's cgroup below its manager's: "/a.slice/a-b.slice" for a-b.slice, "" for the root slice.
    let slicePath: String

    /// - Parameter cgroupsPath: `slice:prefix:name`, or empty for the defaults.
    init(cgroupsPath: String, id: String, isRootless: Bool) throws(EngineError) {
        let path = cgroupsPath.isEmpty ? ":minirun:\(id)" : cgroupsPath
        let parts = path.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 3 else {
            throw EngineError(
                .invalid,
                "expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, "
                    + "got \"\(path)\" instead"
            )
        }
        slice = !parts[0].isEmpty ? parts[0] : isRootless ? "user.slice" : "system.slice"
        slicePath = try SystemdPlace.expand(slice)
        unit = parts[2].hasSuffix(".slice") ? parts[2] : "\(parts[1])-\(parts[2]).scope"
    }

    /// Slices lie in those that their names begin with: test-a-b.slice is /test.slice/test-a.slice/test-a-b.slice.
    static func expand(_ slice: String) throws(EngineError) -> String {
        let suffix = ".slice"
        guard slice.hasSuffix(suffix), !slice.contains("/") else { throw invalid(slice) }
        let name = slice.dropLast(suffix.count)
        if name == "-" { return "" }
        var path = ""
        var prefix = ""
        for component in name.split(separator: "-", omittingEmptySubsequences: false) {
            // Neither test--a.slice nor -test.slice nor .slice is one.
            guard !component.isEmpty else { throw invalid(slice) }
            path += "/\(prefix)\(component)\(suffix)"
            prefix += "\(component)-"
        }
        return path
    }

    private static func invalid(_ slice: String) -> EngineError {
        EngineError(.invalid, "invalid slice name: \(slice)")
    }
}
