import OCI

/// Text in columns: cells end with a tab, rows with a line feed.
enum Table {
    /// Pads each column to its widest cell and three blanks, but to `narrowest` columns at least; a row's last cell is not
    /// padded.
    static func align(_ text: String, narrowest: Int = 10) -> String {
        let rows = text.split(separator: "\n", omittingEmptySubsequences: false).map { row in
            row.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
        }
        var widths: [Int] = []
        for row in rows {
            for (column, cell) in row.dropLast().enumerated() {
                if column == widths.count { widths.append(narrowest) }
                widths[column] = max(widths[column], HumanReadable.width(cell) + 3)
            }
        }
        return rows.map { row in
            row.enumerated().reduce("") { line, cell in
                if cell.offset == row.count - 1 { return line + cell.element }
                let gap = widths[cell.offset] - HumanReadable.width(cell.element)
                return line + cell.element + String(repeating: " ", count: gap)
            }
        }.joined(separator: "\n")
    }
}

/// How a verb prints a list of objects, with docker's `--format`.
struct ListFormat: Sendable {
    /// The fields' names and the headers of their columns.
    let headers: [(field: String, header: String)]
    /// What is printed without `--format`: "table {{.ID}}\t{{.Image}}".
    let standard: String
    /// What "raw" stands for, an old form that only some lists have.
    var raw: String?

    /// `format` is nil or empty for the standard, "table", "table TEMPLATE", "json" or a template for each row. The
    /// result is empty or ends with a line feed.
    func text(_ format: String?, rows: [JSON]) throws(TemplateError) -> String {
        var format = format ?? ""
        if format.isEmpty || format == "table" { format = standard }
        if format == "raw", let raw { format = raw }
        // Go writes a row as a whole as it would stand in HTML.
        if format == "json" || format == "{{json .}}" {
            return rows.map { String(decoding: JSON.escapedForHTML($0.bytes()), as: UTF8.self) + "\n" }.joined()
        }
        let isTable = format.hasPrefix("table")
        if isTable { format = String(format.dropFirst(5)) }
        let template = try GoTemplate(ListFormat.unescaped(format))
        var lines = ""
        for row in rows { lines += try template.render(row) + "\n" }
        if !isTable { return lines }
        let header = JSON.object(headers.map { (key: $0.field, value: .string($0.header)) })
        return Table.align(try template.render(header, keepingText: true) + "\n" + lines)
    }

    /// Without blanks at both ends, and with `\t` and `\n` for what they mean.
    private static func unescaped(_ format: String) -> String {
        var text = format[...]
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        var result = ""
        var index = text.startIndex
        while index < text.endIndex {
            let pair = text[index...].prefix(2)
            if pair == "\\t" || pair == "\\n" {
                result.append(pair == "\\t" ? "\t" : "\n")
                index = pair.endIndex
            } else {
                result.append(text[index])
                index = text.index(after: index)
            }
        }
        return result
    }
}

/// How `inspect` prints what it found.
enum InspectFormat {
    /// Without a format all objects as one indented array; "json" the same in one line; a template once for each
    /// object.
    static func text(_ format: String?, _ objects: [JSON]) throws(TemplateError) -> String {
        switch format ?? "" {
        case "":
            if objects.isEmpty { return "[]\n" }
            return String(decoding: JSON.array(objects).bytes(indent: 4), as: UTF8.self) + "\n"
        case "json": return JSON.array(objects).text() + "\n"
        case let format:
            let template = try GoTemplate(format)
            var lines = ""
            for object in objects { lines += try template.render(object) + "\n" }
            return lines
        }
    }
}
