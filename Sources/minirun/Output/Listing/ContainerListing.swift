import OCI
import Runner

/// What a list of containers shows of one.
struct ContainerEntry: Sendable {
    let record: ContainerRecord
    /// The name that its image was asked for by, or the image's id where that name means another image now.
    var image: String
    /// The bytes that it wrote, and with its image's; nil where nobody asked.
    var size: (own: Int64, whole: Int64)?
}

/// `ps`, as docker prints it.
enum ContainerListing {
    static func format(size: Bool) -> ListFormat {
        ListFormat(
            headers: [
                ("Command", "COMMAND"), ("CreatedAt", "CREATED AT"), ("ID", "CONTAINER ID"), ("Image", "IMAGE"),
                ("Labels", "LABELS"), ("LocalVolumes", "LOCAL VOLUMES"), ("Mounts", "MOUNTS"), ("Names", "NAMES"),
                ("Networks", "NETWORKS"), ("Platform", "PLATFORM"), ("Ports", "PORTS"), ("RunningFor", "CREATED"),
                ("Size", "SIZE"), ("State", "STATE"), ("Status", "STATUS"),
            ],
            standard:
                "table {{.ID}}\\t{{.Image}}\\t{{.Command}}\\t{{.RunningFor}}\\t{{.Status}}\\t{{.Ports}}\\t{{.Names}}"
                + (size ? "\\t{{.Size}}" : "")
        )
    }

    static func row(_ entry: ContainerEntry, truncating: Bool, now: UInt64) -> JSON {
        let record = entry.record
        let command = truncating ? HumanReadable.ellipsis(command(of: record), columns: 20) : command(of: record)
        let mounts = mountNames(of: record).map { truncating ? HumanReadable.ellipsis($0, columns: 15) : $0 }
        return [
            "Command": .string(command.goQuoted), "CreatedAt": .string(HumanReadable.time(record.created)),
            "ID": .string(truncating ? HumanReadable.shortID(record.id) : record.id),
            "Image": .string(truncating ? shortImage(entry.image, id: record.imageID) : entry.image),
            "Labels": .string(
                record.labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ",")
            ),
            "LocalVolumes": .string(
                String((record.mounts(in: "").array ?? []).count { $0["Type"]?.string == "volume" })
            ),
            "Mounts": .string(mounts.joined(separator: ",")), "Names": .string(record.name),
            "Networks": .string(record.network), "Platform": .null, "Ports": "",
            "RunningFor": .string(HumanReadable.ago(record.created, now: now)), "Size": .string(size(entry.size)),
            "State": .string(record.status.rawValue), "Status": .string(status(of: record, now: now)),
        ]
    }

    /// "Up 2 minutes", "Exited (0) 3 seconds ago", "Created".
    static func status(of record: ContainerRecord, now: UInt64) -> String {
        func since(_ time: UInt64?) -> String {
            let nanoseconds = now - min(now, time ?? now)
            return HumanReadable.duration(seconds: Int64(nanoseconds / 1_000_000_000))
        }
        switch record.status {
        case .running: return "Up \(since(record.state.started))"
        case .exited where record.state.started != nil:
            return "Exited (\(record.state.exitCode)) \(since(record.state.finished)) ago"
        case .created, .exited: return "Created"
        }
    }

    /// The program and its arguments; those with a blank in them in quotes.
    private static func command(of record: ContainerRecord) -> String {
        (record.words.prefix(1) + record.words.dropFirst().map { $0.contains(" ") ? "'\($0)'" : $0 })
            .joined(separator: " ")
    }

    static func mountNames(of record: ContainerRecord) -> [String] {
        (record.mounts(in: "").array ?? []).compactMap { mount in
            if let name = mount["Name"]?.string, !name.isEmpty { return name }
            return mount["Source"]?.string
        }
    }

    /// An id in twelve digits, a name without its digest.
    private static func shortImage(_ image: String, id: String) -> String {
        if HumanReadable.shortID(image) == HumanReadable.shortID(id) { return HumanReadable.shortID(id) }
        guard image.contains("@"), let name = try? ImageReference(image) else { return image }
        return name.familiarRepository + (name.tag.map { ":\($0)" } ?? "")
    }

    private static func size(_ size: (own: Int64, whole: Int64)?) -> String {
        guard let size else { return "0B" }
        let own = HumanReadable.size(size.own, digits: 3)
        return size.whole > 0 ? "\(own) (virtual \(HumanReadable.size(size.whole, digits: 3)))" : own
    }
}
