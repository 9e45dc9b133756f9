import OCI

/// `images --tree`, as docker prints it since version 28 (docker/cli, cli/command/image/tree.go).
struct ImageTree {
    /// What a row shows beside the name.
    struct Details: Sendable {
        var id = ""
        var diskUsage: Int64 = 0
        var contentSize: Int64 = 0
        var isInUse = false
    }

    /// What a name stands for.
    struct Entry: Sendable {
        var names: [String]
        var details: Details
        var platforms: [Platform]
        /// Nanoseconds since 1970.
        var created: UInt64 = 0
    }

    struct Platform: Sendable {
        let name: String
        var details: Details
        /// Whether it is here, and not only known to be somewhere.
        let isHere: Bool
    }

    let entries: [Entry]
    /// The terminal's; nil where the output is none.
    let columns: Int?

    init(_ entries: [Entry], columns: Int?) {
        self.entries = entries.sorted { $0.created > $1.created }
        self.columns = columns
    }

    // MARK: - text

    var text: String {
        let table = self.table
        var out = style(
            .warning,
            "WARNING: This is an experimental feature. The output may change and shouldn't be depended on."
        )
        out += "\n" + legend + "\n\n"
        out += table.map { $0.text($0.title.uppercased(), style(.title)) }.joined(separator: gap) + "\n"
        let isSpaced = entries.contains { !$0.platforms.isEmpty }
        for entry in entries {
            out += names(entry, table[0]) + details(entry.details, table, style(.normal)) + "\n"
            for (place, platform) in entry.platforms.enumerated() {
                let branch = place == entry.platforms.count - 1 ? "└─ " : "├─ "
                let style = style(platform.isHere ? .normal : .faint)
                out += table[0].text(branch + platform.name, style) + details(platform.details, table, style) + "\n"
            }
            if isSpaced { out += "\n" }
        }
        return out
    }

    private let gap = "   "
    private var width: Int { max(columns ?? 80, 20) }

    /// The names above one another, the shortest, which the columns stand beside, last.
    private func names(_ entry: Entry, _ column: Column) -> String {
        if entry.names.isEmpty { return column.text("<untagged>", style(.faint)) }
        let names = entry.names.enumerated().sorted { a, b in
            (b.element.utf8.count, a.offset) < (a.element.utf8.count, b.offset)
        }.map(\.element)
        let above = names.dropLast().map { name in
            style(.name)(columns.map { HumanReadable.ellipsis(name, columns: $0) } ?? name) + "\n"
        }
        return above.joined() + column.text(names[names.count - 1], style(.name))
    }

    private func details(_ details: Details, _ table: [Column], _ style: (String) -> String) -> String {
        table.compactMap { column in
            column.value.map { value in gap + column.text(value(details), column.isPlain ? { $0 } : style) }
        }.joined()
    }

    /// What the marks in the last column mean, at the right.
    private var legend: String {
        let isPlain = columns == nil
        let fancy = "\u{1B}[1m\u{1B}[106m\u{1B}[30mi\u{1B}[0m\u{1B}[0m \u{1B}[96mInfo → \u{1B}[0m\u{1B}[0m"
        let header = isPlain ? " Info -> " : fancy
        let shown = isPlain ? " Info ->  U In Use " : "i Info →   U  In Use "
        return String(repeating: " ", count: max(0, width - shown.count)) + header + " " + inUse + " In Use "
    }

    private var inUse: String { columns == nil ? "U" : "\u{1B}[38;5;0m\u{1B}[48;5;14m U \u{1B}[0m" }
}

// MARK: - columns

extension ImageTree {
    private struct Column {
        let title: String
        var width: Int
        var isRight = false
        /// Whether its text brings its own colour.
        var isPlain = false
        /// nil for the name.
        var value: ((Details) -> String)?

        /// The text in so many columns; one that is longer is cut.
        func text(_ text: String, _ style: (String) -> String) -> String {
            let length = isPlain ? ImageTree.width(ofMarked: text) : HumanReadable.width(text)
            guard length <= width else { return style(HumanReadable.ellipsis(text, columns: width)) }
            let fill = String(repeating: " ", count: width - length)
            return isRight ? fill + style(text) : style(text) + fill
        }
    }

    /// Of a mark with its colours.
    private static func width(ofMarked text: String) -> Int { text.hasPrefix("\u{1B}") ? 3 : text.count }

    /// The columns that there is room for beside twelve of the name.
    private var table: [Column] {
        let isMarked = entries.contains { $0.platforms.contains(where: \.details.isInUse) }
        let mark: (Details) -> String = { [inUse, columns] details in
            !isMarked ? "" : details.isInUse ? inUse : columns == nil ? " " : "   "
        }
        let all = [
            Column(title: "Image", width: 0), Column(title: "ID", width: 12) { $0.id },
            Column(title: "Disk usage", width: 10, isRight: true) { HumanReadable.size($0.diskUsage, digits: 3) },
            Column(title: "Content size", width: 12, isRight: true) { HumanReadable.size($0.contentSize, digits: 3) },
            Column(title: "Extra", width: 5, isPlain: true, value: mark),
        ]
        var room = width
        var shown = [all[0]]
        for column in all.dropFirst() {
            guard room - column.width - gap.count >= 12 else { break }
            room -= column.width + gap.count
            shown.append(column)
        }
        shown[0].width = min(room, widestName)
        return shown
    }

    /// In bytes, as docker measures it.
    private var widestName: Int {
        let texts = entries.flatMap { entry in entry.names + entry.platforms.map { "└─ " + $0.name } }
        return texts.reduce("Image".count) { max($0, $1.utf8.count) }
    }
}

// MARK: - colours

extension ImageTree {
    private enum Style {
        case warning, title, name, normal, faint

        /// What a terminal is told before the text and after it.
        var codes: String {
            switch self {
            case .warning: "\u{1B}[93m"
            case .title: "\u{1B}[39m\u{1B}[1m"
            case .name: "\u{1B}[34m\u{1B}[1m"
            case .normal: "\u{1B}[39m"
            case .faint: "\u{1B}[39m\u{1B}[2m"
            }
        }
    }

    private func style(_ style: Style) -> (String) -> String {
        columns == nil ? { $0 } : { style.codes + $0 + "\u{1B}[0m" }
    }

    private func style(_ style: Style, _ text: String) -> String { self.style(style)(text) }
}
