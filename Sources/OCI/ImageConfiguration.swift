/// An image's configuration: what runs, how its root is made up, how it came about (image-spec, config.md, and Docker's
/// additions to it).
package struct ImageConfiguration: Equatable, Sendable {
    package var created: String?
    package var author: String?
    package var platform: Platform
    package var config: ContainerConfiguration
    /// The digests of the uncompressed layers, the base's first.
    package var diffIDs: [Digest]
    package var history: [History]

    /// One entry for each instruction; an entry without a layer says so.
    package struct History: Equatable, Sendable {
        package var created: String?
        package var createdBy: String?
        package var author: String?
        package var comment: String?
        package var emptyLayer: Bool

        package init(
            created: String?,
            createdBy: String?,
            author: String? = nil,
            comment: String? = nil,
            emptyLayer: Bool = false
        ) {
            self.created = created
            self.createdBy = createdBy
            self.author = author
            self.comment = comment
            self.emptyLayer = emptyLayer
        }
    }

    package init(platform: Platform = .host) {
        self.platform = platform
        config = ContainerConfiguration()
        diffIDs = []
        history = []
    }

    package init(_ json: JSON) throws(EngineError) {
        try json.requireOneMeaning(
            of: ["config", "rootfs", "history", "created", "author", "os", "architecture", "variant"],
            in: "image configuration"
        )
        try json["rootfs"]?.requireOneMeaning(of: ["type", "diff_ids"], in: "image configuration")
        try json["config"]?.requireOneMeaning(of: ContainerConfiguration.keys, in: "image configuration")
        guard json.object != nil, let rootfs = json["rootfs"],
            let diffIDs = rootfs["diff_ids"].map({ $0.strings ?? [] })
        else {
            throw EngineError(.invalid, "invalid image configuration: no rootfs")
        }
        created = json["created"]?.string
        author = json["author"]?.string
        platform = Platform(json)
        config = ContainerConfiguration(json["config"] ?? .null)
        self.diffIDs = []
        for text in diffIDs { self.diffIDs.append(try Digest(text)) }
        history = (json["history"]?.array ?? []).map { entry in
            History(
                created: entry["created"]?.string,
                createdBy: entry["created_by"]?.string,
                author: entry["author"]?.string,
                comment: entry["comment"]?.string,
                emptyLayer: entry["empty_layer"]?.bool ?? false
            )
        }
    }

    package var json: JSON {
        var members: [(key: String, value: JSON)] = []
        if let created { members.append(("created", .string(created))) }
        if let author { members.append(("author", .string(author))) }
        members.append(contentsOf: platform.json.object ?? [])
        members.append(("config", config.json))
        members.append(("rootfs", ["type": "layers", "diff_ids": .strings(diffIDs.map(\.description))]))
        members.append(
            (
                "history",
                .array(
                    history.map { entry in
                        var members: [(key: String, value: JSON)] = []
                        if let created = entry.created { members.append(("created", .string(created))) }
                        if let createdBy = entry.createdBy { members.append(("created_by", .string(createdBy))) }
                        if let author = entry.author { members.append(("author", .string(author))) }
                        if let comment = entry.comment { members.append(("comment", .string(comment))) }
                        if entry.emptyLayer { members.append(("empty_layer", true)) }
                        return .object(members)
                    }
                )
            )
        )
        return .object(members)
    }
}

/// What an image says of the containers made of it: the `config` object of an image configuration.
package struct ContainerConfiguration: Equatable, Sendable {
    package var user = ""
    /// `80/tcp`, sorted.
    package var exposedPorts: [String] = []
    /// `NAME=value`, in the image's order.
    package var env: [String] = []
    package var entrypoint: [String]?
    package var cmd: [String]?
    /// Paths, sorted.
    package var volumes: [String] = []
    package var workingDir = ""
    package var labels: [String: String] = [:]
    package var stopSignal: String?
    package var healthcheck: Healthcheck?
    package var shell: [String]?
    package var onBuild: [String] = []

    /// Docker's health check; durations in nanoseconds, 0 for "as usual".
    package struct Healthcheck: Equatable, Sendable {
        /// `["NONE"]`, `["CMD", …]` or `["CMD-SHELL", command]`.
        package var test: [String]
        package var interval: Int64 = 0
        package var timeout: Int64 = 0
        package var startPeriod: Int64 = 0
        package var startInterval: Int64 = 0
        package var retries = 0

        package init(test: [String]) { self.test = test }
    }

    package init() {}

    /// The keys of the object that are read.
    fileprivate static let keys = [
        "User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "Volumes", "WorkingDir", "Labels", "StopSignal", "Shell",
        "OnBuild", "Healthcheck",
    ]

    package init(_ json: JSON) {
        user = json["User"]?.string ?? ""
        exposedPorts = (json["ExposedPorts"]?.object ?? []).map(\.key).sorted()
        env = json["Env"]?.strings ?? []
        entrypoint = json["Entrypoint"]?.strings
        cmd = json["Cmd"]?.strings
        volumes = (json["Volumes"]?.object ?? []).map(\.key).sorted()
        workingDir = json["WorkingDir"]?.string ?? ""
        labels = json["Labels"]?.stringMap ?? [:]
        stopSignal = json["StopSignal"]?.string
        shell = json["Shell"]?.strings
        onBuild = json["OnBuild"]?.strings ?? []
        if let check = json["Healthcheck"], let test = check["Test"]?.strings {
            var healthcheck = Healthcheck(test: test)
            healthcheck.interval = Int64(check["Interval"]?.int ?? 0)
            healthcheck.timeout = Int64(check["Timeout"]?.int ?? 0)
            healthcheck.startPeriod = Int64(check["StartPeriod"]?.int ?? 0)
            healthcheck.startInterval = Int64(check["StartInterval"]?.int ?? 0)
            healthcheck.retries = check["Retries"]?.int ?? 0
            self.healthcheck = healthcheck
        }
    }

    package var json: JSON {
        var members: [(key: String, value: JSON)] = []
        func keys(_ names: [String]) -> JSON { .object(names.sorted().map { (key: $0, value: .object([])) }) }
        if !user.isEmpty { members.append(("User", .string(user))) }
        if !exposedPorts.isEmpty { members.append(("ExposedPorts", keys(exposedPorts))) }
        if !env.isEmpty { members.append(("Env", .strings(env))) }
        if let entrypoint { members.append(("Entrypoint", .strings(entrypoint))) }
        if let cmd { members.append(("Cmd", .strings(cmd))) }
        if !volumes.isEmpty { members.append(("Volumes", keys(volumes))) }
        if !workingDir.isEmpty { members.append(("WorkingDir", .string(workingDir))) }
        if !labels.isEmpty { members.append(("Labels", .sortedStrings(labels))) }
        if let stopSignal { members.append(("StopSignal", .string(stopSignal))) }
        if let shell { members.append(("Shell", .strings(shell))) }
        if !onBuild.isEmpty { members.append(("OnBuild", .strings(onBuild))) }
        if let check = healthcheck {
            var healthcheck: [(key: String, value: JSON)] = [("Test", .strings(check.test))]
            if check.interval > 0 { healthcheck.append(("Interval", .number(check.interval))) }
            if check.timeout > 0 { healthcheck.append(("Timeout", .number(check.timeout))) }
            if check.startPeriod > 0 { healthcheck.append(("StartPeriod", .number(check.startPeriod))) }
            if check.startInterval > 0 { healthcheck.append(("StartInterval", .number(check.startInterval))) }
            if check.retries > 0 { healthcheck.append(("Retries", .number(check.retries))) }
            members.append(("Healthcheck", .object(healthcheck)))
        }
        return .object(members)
    }
}
