import OCI
import Runner

/// `ps --filter`, by docker's rules: values of one name are alternatives, but every label must be there.
struct ContainerFilters {
    private static let known: Set<String> = [
        "ancestor", "before", "exited", "expose", "health", "id", "label", "name", "network", "publish", "since",
        "status",
        "volume",
    ]
    private static let states: Set<String> = [
        "created", "dead", "exited", "paused", "removing", "restarting", "running",
    ]

    /// An image that containers may descend from.
    struct Ancestor {
        let id: String
        /// The chain id of its top layer.
        let top: String?
    }

    private let filters: ListFilters
    private let names: [NamePattern]
    private let ids: [NamePattern]
    private let exitCodes: [Int32]
    private let ancestors: [Ancestor]
    private let before: UInt64?
    private let since: UInt64?

    /// - Parameters:
    ///   - container: finds the one that `before` and `since` name.
    ///   - image: finds the one that `ancestor` names; nil where there is none.
    init(_ texts: [String], container: (String) throws -> ContainerRecord, image: (String) throws -> Ancestor?) throws {
        filters = try ListFilters(texts, known: ContainerFilters.known)
        for state in filters["status"] where !ContainerFilters.states.contains(state) {
            throw EngineError(.invalid, "invalid filter 'status=\(state)'")
        }
        names = try filters["name"].map { text throws(ValueError) in try NamePattern(text) }
        ids = try filters["id"].map { text throws(ValueError) in try NamePattern(text) }
        exitCodes = try filters["exited"].map { text in
            guard let code = Int32(text) else { throw EngineError(.invalid, "invalid filter 'exited=\(text)'") }
            return code
        }
        ancestors = try filters["ancestor"].compactMap(image)
        before = try filters["before"].last.map { try container($0).created }
        since = try filters["since"].last.map { try container($0).created }
    }

    /// Whether one that does not run may be shown without `--all`.
    var namesStatus: Bool { filters.has("status") }

    func allows(_ record: ContainerRecord) -> Bool {
        allowsIdentity(record) && allowsState(record) && allowsImage(record) && allowsSurroundings(record)
    }

    private func allowsIdentity(_ record: ContainerRecord) -> Bool {
        // Docker's names begin with a slash, and some patterns say so.
        (names.isEmpty || names.contains { $0.isFound(in: record.name) || $0.isFound(in: "/" + record.name) })
            && (ids.isEmpty || ids.contains { $0.isFound(in: record.id) })
            && filters.allows(labels: record.labels)
    }

    private func allowsState(_ record: ContainerRecord) -> Bool {
        filters.allows("status") { $0 == record.status.rawValue }
            && (exitCodes.isEmpty || record.status == .exited && exitCodes.contains(record.state.exitCode))
            && filters.allows("health") { $0 == "none" }
            && before.map { record.created < $0 } ?? true
            && since.map { record.created > $0 } ?? true
    }

    private func allowsImage(_ record: ContainerRecord) -> Bool {
        filters.allows("ancestor") { _ in
            ancestors.contains { image in
                image.id == record.imageID || image.top.map { record.layers.contains($0) } ?? false
            }
        }
    }

    private func allowsSurroundings(_ record: ContainerRecord) -> Bool {
        let exposed = Set((record.config["ExposedPorts"]?.object ?? []).map(\.key))
        let mounts = (record.mounts(in: "").array ?? []).compactMap { $0["Destination"]?.string }
        return filters.allows("network") { $0 == record.network }
            && filters.allows("volume") { (mounts + ContainerListing.mountNames(of: record)).contains($0) }
            && filters.allows("expose") { exposed.contains($0.contains("/") ? $0 : "\($0)/tcp") }
            // Nothing is published so far.
            && filters.allows("publish") { _ in false }
    }
}
