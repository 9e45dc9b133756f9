import LinuxSystem
import OCI

/// What the options and an image's configuration come to: docker's rules, for the specification and for `inspect`.
extension ContainerOptions {
    /// The words to execute: docker's rules for ENTRYPOINT, CMD, `--entrypoint` and arguments.
    func words(over image: ContainerConfiguration) -> [String] {
        let entrypoint = entrypoint ?? image.entrypoint ?? []
        return entrypoint + (command.isEmpty && self.entrypoint == nil ? image.cmd ?? [] : command)
    }

    /// docker's order: PATH, HOSTNAME, TERM; the image's; the caller's in place of these; HOME if none is set.
    func environment(over image: ContainerConfiguration, hostname: String, home: String) -> [String] {
        var entries = [DockerDefaults.path, "HOSTNAME=\(hostname)"]
        if terminal { entries.append("TERM=xterm") }
        var places: [String: Int] = [:]
        for (place, entry) in entries.enumerated() { places[String(entry.variableName)] = place }
        for entry in image.env + environment {
            let name = String(entry.variableName)
            if let place = places[name] {
                entries[place] = entry
            } else {
                places[name] = entries.count
                entries.append(entry)
            }
        }
        entries.removeAll { $0 == "HOME=" }
        if !entries.contains(where: { $0.variableName == "HOME" }) { entries.append("HOME=\(home)") }
        return entries
    }

    private var showsKernelFiles: Bool { privileged || systemPathsUnconfined }

    func maskedPaths(processors: Int) -> [String] {
        showsKernelFiles ? [] : DockerDefaults.maskedPaths(processors: processors)
    }

    var readonlyPaths: [String] { showsKernelFiles ? [] : DockerDefaults.readonlyPaths }

    /// The caller's volumes without a name, then those of the image at whose place the caller has put nothing.
    func volumes(of id: String, over image: ContainerConfiguration, in dataFolder: String) throws(EngineError)
        -> [ContainerSpec.Volume]
    {
        var places: [(destination: String, readOnly: Bool, copiesUp: Bool)] = []
        var taken: Set<String> = []
        for request in mounts {
            let destination = try ContainerSpec.checked(request.destination)
            taken.insert(destination)
            if case .volume(let copy) = request.kind { places.append((destination, request.readOnly, copy)) }
        }
        for path in image.volumes {
            let destination = try ContainerSpec.checked(Files.absolute(path, from: "/"))
            if taken.insert(destination).inserted { places.append((destination, false, true)) }
        }
        return places.enumerated().map { index, place in
            let number = String(index, radix: 16)
            return ContainerSpec.Volume(
                name: id.dropLast(4) + String(repeating: "0", count: max(0, 4 - number.count)) + number,
                source: "\(dataFolder)/volumes/\(index)",
                destination: place.destination,
                readOnly: place.readOnly,
                copiesUp: place.copiesUp
            )
        }
    }
}

extension ContainerSpec {
    /// A folder on the disk that is the container's alone and goes with it.
    package struct Volume: Equatable, Sendable {
        /// 64 hexadecimal digits, as docker names a volume that nobody named.
        package let name: String
        package let source: String
        package let destination: String
        package let readOnly: Bool
        /// It begins with what the image has at its place.
        package let copiesUp: Bool

        var options: [String] { ["rbind", "rprivate"] + (readOnly ? ["ro"] : []) }
    }
}
