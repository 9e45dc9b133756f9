import LinuxSystem
import OCI

/// A container's state file, `state.json` in its folder: what `ps`, `inspect` and the next command know of it.
package struct ContainerRecord: Sendable {
    /// The format; another one is refused.
    static let version = 1
    /// In bytes: what is larger is neither read nor written.
    static let limit = 64 << 20

    package enum Status: String, Sendable { case created, running, exited }

    package var id: String
    package var name: String
    package var status: Status
    /// Nanoseconds since 1970.
    package var created: UInt64
    package var started: UInt64?
    package var finished: UInt64?
    package var exitCode: Int32 = 0
    package var error = ""
    package var outOfMemory = false
    /// The image as it was asked for, and what that was.
    package var imageName: String
    package var imageID: String
    /// The chain ids of its layers, the base's first: what a collection must keep.
    package var layers: [String]
    package var path: String
    package var arguments: [String]
    package var labels: [String: String] = [:]
    package var terminal = false
    package var network: String
    package var removeAtEnd = false
    /// The image's configuration with the caller's options in it, as `inspect` shows it.
    package var config: JSON = .null
    package var hostConfig: JSON = .null
    package var mounts: JSON = []

    package init(
        id: String,
        name: String,
        created: UInt64,
        imageName: String,
        imageID: String,
        layers: [String],
        arguments: [String],
        network: String
    ) {
        self.id = id
        self.name = name
        status = .created
        self.created = created
        self.imageName = imageName
        self.imageID = imageID
        self.layers = layers
        path = arguments.first ?? ""
        self.arguments = Array(arguments.dropFirst())
        self.network = network
    }

    package init(_ json: JSON) throws(EngineError) {
        guard json["version"]?.int == ContainerRecord.version else {
            throw EngineError(.unsupported, "a container's state is of a version that this minirun does not know")
        }
        // Both become parts of paths.
        guard let id = json["id"]?.string, ContainerName.isID(id),
            let status = json["status"]?.string.flatMap(Status.init(rawValue:)),
            let name = json["name"]?.string, name.isEmpty || ContainerName.isValid(name)
        else { throw EngineError(.corrupt, "a container's state without an id, a name or a status") }
        self.id = id
        self.status = status
        self.name = name
        created = json["created"]?.uint64 ?? 0
        started = json["started"]?.uint64
        finished = json["finished"]?.uint64
        exitCode = Int32(clamping: json["exitCode"]?.int ?? 0)
        error = json["error"]?.string ?? ""
        outOfMemory = json["outOfMemory"]?.bool ?? false
        imageName = json["imageName"]?.string ?? ""
        imageID = json["imageID"]?.string ?? ""
        layers = json["layers"]?.strings ?? []
        path = json["path"]?.string ?? ""
        arguments = json["arguments"]?.strings ?? []
        labels = json["labels"]?.stringMap ?? [:]
        terminal = json["terminal"]?.bool ?? false
        network = json["network"]?.string ?? ""
        removeAtEnd = json["removeAtEnd"]?.bool ?? false
        config = json["config"] ?? .null
        hostConfig = json["hostConfig"] ?? .null
        mounts = json["mounts"] ?? []
    }

    package var json: JSON {
        [
            "version": .number(ContainerRecord.version), "id": .string(id), "name": .string(name),
            "status": .string(status.rawValue), "created": .number(created),
            "started": started.map { .number($0) } ?? .null,
            "finished": finished.map { .number($0) } ?? .null, "exitCode": .number(exitCode), "error": .string(error),
            "outOfMemory": .bool(outOfMemory), "imageName": .string(imageName),
            "imageID": .string(imageID), "layers": .strings(layers), "path": .string(path),
            "arguments": .strings(arguments),
            "labels": .sortedStrings(labels), "terminal": .bool(terminal), "network": .string(network),
            "removeAtEnd": .bool(removeAtEnd), "config": config, "hostConfig": hostConfig, "mounts": mounts,
        ]
    }
}
