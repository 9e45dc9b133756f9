import OCI

/// `history`, as docker prints it.
enum HistoryListing {
    static func format(human: Bool) -> ListFormat {
        ListFormat(
            headers: [
                ("Comment", "COMMENT"), ("CreatedAt", "CREATED AT"), ("CreatedBy", "CREATED BY"),
                ("CreatedSince", "CREATED"), ("ID", "IMAGE"), ("Size", "SIZE"),
            ],
            standard:
                "table {{.ID}}\\t{{.\(human ? "CreatedSince" : "CreatedAt")}}\\t{{.CreatedBy}}\\t{{.Size}}\\t{{.Comment}}"
        )
    }

    struct Style {
        var human = true
        var truncating = true
        var now: UInt64
    }

    /// One row for each instruction, the last one first. Layers that the history says nothing of are shown all the same.
    /// - Parameter layerSizes: in bytes, the base's first.
    static func rows(_ id: Digest, _ configuration: ImageConfiguration, layerSizes: [Int64], _ style: Style) -> [JSON] {
        var sizes = layerSizes[...]
        var steps: [(step: ImageConfiguration.History, size: Int64)] = configuration.history.map { step in
            (step, step.emptyLayer ? 0 : sizes.popFirst() ?? 0)
        }
        steps += sizes.map { (ImageConfiguration.History(created: nil, createdBy: nil), $0) }
        return steps.reversed().enumerated().map { place, entry in
            let shownID = style.truncating ? id.short : id.description
            return row(place == 0 ? shownID : "<missing>", entry.step, entry.size, style)
        }
    }

    private static func row(_ id: String, _ step: ImageConfiguration.History, _ size: Int64, _ style: Style) -> JSON {
        let created = step.created.flatMap { Timestamp.nanoseconds(rfc3339: $0) }
        let seconds = (created ?? 0) / 1_000_000_000 * 1_000_000_000
        var createdBy = String((step.createdBy ?? "").map { $0 == "\t" ? " " : $0 })
        if style.truncating { createdBy = HumanReadable.ellipsis(createdBy, columns: 45) }
        return [
            "Comment": .string(step.comment ?? ""),
            "CreatedAt": .string(Timestamp.rfc3339(nanoseconds: seconds)),
            "CreatedBy": .string(createdBy),
            "CreatedSince": .string(created.map { HumanReadable.ago($0, now: style.now) } ?? "N/A"), "ID": .string(id),
            "Size": .string(style.human ? HumanReadable.size(size, digits: 3) : String(size)),
        ]
    }
}
