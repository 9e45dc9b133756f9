import CLinux
import LinuxSystem
import OCI

/// A container: what was asked for, which is written once (`container.json`), and what has become of it (`state.json`). `ps`,
/// `inspect` and the next command know it from there; what they show is computed.
package struct ContainerRecord: Sendable {
    /// The format of both files.
    static let version = 2
    /// In bytes: what is larger is neither read nor written.
    static let limit = 64 << 20

    package enum Status: String, Sendable { case created, running, exited }

    // MARK: What was asked for

    package let id: String
    package var name: String
    /// Nanoseconds since 1970.
    package let created: UInt64
    /// The image as it was asked for, and what that was.
    package let imageName: String
    package let imageID: String
    /// The chain ids of its layers, the base's first: what a collection must keep.
    package let layers: [String]
    /// What the image said of itself: the image may go before its container.
    package let imageConfiguration: ContainerConfiguration
    package var options: ContainerOptions
    /// What a record of the first format says in place of options.
    let older: OlderRecord?

    // MARK: What has become of it

    package var state = State()

    package struct State: Equatable, Sendable {
        package var status = Status.created
        /// Nanoseconds since 1970.
        package var started: UInt64?
        package var finished: UInt64?
        package var exitCode: Int32 = 0
        package var error = ""
        package var outOfMemory = false

        package init() {}
    }

    package init(
        id: String,
        name: String,
        created: UInt64,
        imageName: String,
        imageID: String,
        layers: [String],
        imageConfiguration: ContainerConfiguration,
        options: ContainerOptions
    ) {
        self.id = id
        self.name = name
        self.created = created
        self.imageName = imageName
        self.imageID = imageID
        self.layers = layers
        self.imageConfiguration = imageConfiguration
        self.options = options
        older = nil
    }
}

// MARK: - What follows from the options

extension ContainerRecord {
    package var status: Status { state.status }
    package var removeAtEnd: Bool { options.removeAtEnd }
    package var network: String { options.network.rawValue }
    package var labels: [String: String] { imageConfiguration.labels.merging(options.labels) { $1 } }

    /// The program and its arguments.
    package var words: [String] { older?.words ?? options.words(over: imageConfiguration) }

    /// The signal that asks it to end. What the image says and no kernel knows is SIGTERM, as with docker.
    package var stopSignal: Int32 {
        let said = [options.stopSignal, imageConfiguration.stopSignal].compactMap(\.self).first { !$0.isEmpty }
        let number = said.flatMap(SignalName.number) ?? 0
        return number > 0 ? number : SIGTERM
    }

    /// What it is once its engine is gone: ended by SIGKILL.
    var withoutEngine: ContainerRecord {
        var ended = self
        ended.state.status = .exited
        ended.state.exitCode = 137
        ended.state.error = "the engine was killed"
        ended.state.finished = Clock.realtime
        return ended
    }

    /// How many seconds it has to do so; negative for ever.
    package var stopTimeout: Int { options.stopTimeout ?? 10 }
}

// MARK: - Files

extension ContainerRecord {
    /// `container.json`
    func configurationJSON() throws(EngineError) -> JSON {
        [
            "version": .number(ContainerRecord.version), "id": .string(id), "name": .string(name),
            "created": .number(created),
            "image": [
                "name": .string(imageName), "id": .string(imageID), "layers": .strings(layers),
                "config": imageConfiguration.json,
            ],
            "options": try options.json(),
        ]
    }

    /// - Parameters:
    ///   - configuration: `container.json`.
    ///   - state: `state.json`; nil where there is none so far.
    init(configuration: JSON, state: JSON?) throws(EngineError) {
        try ContainerRecord.checkVersion(configuration, [ContainerRecord.version])
        let reader = try JSONReader(configuration, "container.json")
        id = try ContainerRecord.id(of: configuration)
        name = try ContainerRecord.name(of: configuration)
        created = try reader.need("created")
        guard let image = try reader.member("image"), let options = try reader.member("options") else {
            throw reader.error("no image or no options")
        }
        imageName = try image.string("name") ?? ""
        imageID = try image.string("id") ?? ""
        layers = try image.strings("layers") ?? []
        imageConfiguration = ContainerConfiguration(try image.member("config")?.json ?? [:])
        self.options = try ContainerOptions(options)
        older = nil
        if let state { self.state = try State(state) }
    }

    /// A record of the first format, which was one file.
    init(older json: JSON) throws(EngineError) {
        try ContainerRecord.checkVersion(json, [1])
        id = try ContainerRecord.id(of: json)
        name = try ContainerRecord.name(of: json)
        created = json["created"]?.uint64 ?? 0
        imageName = json["imageName"]?.string ?? ""
        imageID = json["imageID"]?.string ?? ""
        layers = json["layers"]?.strings ?? []
        let older = OlderRecord(json)
        imageConfiguration = ContainerConfiguration()
        options = older.options
        self.older = older
        state = try State(json)
    }

    static func checkVersion(_ json: JSON, _ known: [Int]) throws(EngineError) {
        guard let version = json["version"]?.int, known.contains(version) else {
            throw EngineError(.unsupported, "a container's state is of a version that this minirun does not know")
        }
    }

    // Both become parts of paths.

    private static func id(of json: JSON) throws(EngineError) -> String {
        guard let id = json["id"]?.string, ContainerName.isID(id) else {
            throw EngineError(.corrupt, "a container's record without an id")
        }
        return id
    }

    private static func name(of json: JSON) throws(EngineError) -> String {
        guard let name = json["name"]?.string, name.isEmpty || ContainerName.isValid(name) else {
            throw EngineError(.corrupt, "a container's record without a name")
        }
        return name
    }
}

extension ContainerRecord.State {
    init(_ json: JSON) throws(EngineError) {
        try ContainerRecord.checkVersion(json, [1, ContainerRecord.version])
        guard let status = json["status"]?.string.flatMap(ContainerRecord.Status.init(rawValue:)) else {
            throw EngineError(.corrupt, "a container's state without a status")
        }
        self.status = status
        started = json["started"]?.uint64
        finished = json["finished"]?.uint64
        exitCode = Int32(clamping: json["exitCode"]?.int ?? 0)
        error = json["error"]?.string ?? ""
        outOfMemory = json["outOfMemory"]?.bool ?? false
    }

    /// `state.json`
    func json(of id: String) -> JSON {
        [
            "version": .number(ContainerRecord.version), "id": .string(id), "status": .string(status.rawValue),
            "started": started.map { .number($0) } ?? .null, "finished": finished.map { .number($0) } ?? .null,
            "exitCode": .number(exitCode), "error": .string(error), "outOfMemory": .bool(outOfMemory),
        ]
    }
}
