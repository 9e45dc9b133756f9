import Images
import LinuxSystem
import OCI

/// What `image diff` shows.
struct ImageDiffReport {
    let before: StoredImage
    let after: StoredImage
    let changes: [ImageDiff.Change]
    /// Of each image's layers, in bytes, the base's first.
    let sizes: [[Int64]]

    // MARK: Settings

    /// The settings that differ, by name, as JSON; null where an image has none.
    private var settings: [(name: String, before: JSON, after: JSON)] {
        let one = before.configuration.json
        let other = after.configuration.json
        var found: [(String, JSON, JSON)] = []
        for key in ["architecture", "os", "variant", "author"] where one[key] != other[key] {
            found.append((key, one[key] ?? .null, other[key] ?? .null))
        }
        let (a, b) = (one["config"] ?? [:], other["config"] ?? [:])
        let keys = Set(((a.object ?? []) + (b.object ?? [])).map(\.key))
        for key in keys.sorted() where a[key] != b[key] { found.append((key, a[key] ?? .null, b[key] ?? .null)) }
        return found
    }

    // MARK: Layers

    /// Layers that both have below everything else.
    private var shared: Int {
        zip(before.configuration.diffIDs, after.configuration.diffIDs).prefix { $0 == $1 }.count
    }

    private func layers(_ image: StoredImage, _ sizes: [Int64]) -> JSON {
        .array(
            zip(image.configuration.diffIDs, sizes).map { id, size in
                ["DiffID": .string(id.description), "Size": .number(size)]
            }
        )
    }

    // MARK: JSON

    var json: JSON {
        [
            "Before": .string(before.id.description), "After": .string(after.id.description),
            "Files": .array(changes.map(json)),
            "Config": .array(settings.map { ["Name": .string($0.name), "Before": $0.before, "After": $0.after] }),
            "Layers": [
                "Shared": .number(shared), "Before": layers(before, sizes[0]), "After": layers(after, sizes[1]),
            ],
        ]
    }

    private func json(_ change: ImageDiff.Change) -> JSON {
        [
            "Path": .string(change.path), "Kind": .string(change.kind.rawValue), "Changed": .strings(change.what),
            "Before": change.before.map(json) ?? .null, "After": change.after.map(json) ?? .null,
        ]
    }

    private func json(_ file: ImageDiff.File) -> JSON {
        [
            "Type": .string(file.kind.word), "Mode": .string(file.mode.octal), "Owner": .number(Int(file.owner)),
            "Group": .number(Int(file.group)), "Size": .number(file.size),
            "Target": file.target.map { .string($0) } ?? .null,
        ]
    }

    // MARK: Text

    /// One line for each file, as `docker diff` begins it, then settings and layers.
    var text: String {
        var lines = changes.map { "\($0.kind.rawValue) \($0.path)  \(ImageDiffReport.details($0))" }
        if !settings.isEmpty { lines.append("Config:") }
        for (name, before, after) in settings { lines.append("  \(name): \(before.text()) -> \(after.text())") }
        lines.append("Layers:")
        for (sign, image, sizes) in [("-", before, sizes[0]), ("+", after, sizes[1])] {
            for (id, size) in zip(image.configuration.diffIDs, sizes).dropFirst(shared) {
                lines.append("  \(sign) \(id) \(HumanReadable.size(size))")
            }
        }
        lines.append("  = \(shared) shared, \(HumanReadable.size(sizes[0].prefix(shared).reduce(0, +)))")
        let totals = sizes.map { $0.reduce(0, +) }
        let growth = totals[1] - totals[0]
        let sign = growth < 0 ? "-" : "+"
        lines.append(
            "Size: \(HumanReadable.size(totals[0])) -> \(HumanReadable.size(totals[1])) "
                + "(\(sign)\(HumanReadable.size(abs(growth))))"
        )
        return lines.map { $0 + "\n" }.joined()
    }

    private static func details(_ change: ImageDiff.Change) -> String {
        guard let before = change.before, let after = change.after else {
            return (change.before ?? change.after).map(details) ?? ""
        }
        return change.what.map { what in
            switch what {
            case "kind": "\(before.kind.word) -> \(after.kind.word)"
            case "mode": "mode \(before.mode.octal) -> \(after.mode.octal)"
            case "owner": "owner \(before.owner):\(before.group) -> \(after.owner):\(after.group)"
            case "size": "size \(HumanReadable.size(before.size)) -> \(HumanReadable.size(after.size))"
            case "link": "link \(before.target ?? "") -> \(after.target ?? "")"
            default: what
            }
        }.joined(separator: ", ")
    }

    private static func details(_ file: ImageDiff.File) -> String {
        let size = file.kind == .file ? ", \(HumanReadable.size(file.size))" : ""
        let target = file.target.map { " to \($0)" } ?? ""
        return "\(file.kind.word)\(target), \(file.mode.octal), \(file.owner):\(file.group)\(size)"
    }
}
