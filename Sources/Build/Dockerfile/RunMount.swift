/// `RUN --mount=…`, checked and with its defaults.
package struct RunMount: Equatable, Sendable {
    package enum Kind: String, CaseIterable, Sendable {
        case bind, cache, tmpfs, secret, ssh
    }

    /// Whether two builds may use a cache at once: `shared` lets them, `private` gives the second its own, `locked`
    /// makes it wait.
    package enum Sharing: String, CaseIterable, Sendable {
        case shared, `private`, locked
    }

    package var kind = Kind.bind
    /// A stage or an image; the build context for a bind and nothing for a cache where it is nil.
    package var from: String?
    package var source = ""
    package var target = ""
    package var isReadOnly = false
    /// tmpfs: bytes, 0 for no limit.
    package var size: Int64 = 0
    /// cache, secret and ssh: as it was written; the default depends on the kind (see `cacheID`, `secretID`).
    package var id = ""
    package var sharing: Sharing?
    package var isRequired = false
    /// secret: the variable that shall hold it; "" for the secret's own name.
    package var environmentName: String?
    package var mode: UInt32?
    package var uid: UInt32?
    package var gid: UInt32?

    /// cache: what names it: `id`, or else the target.
    package var cacheID: String { id.isEmpty ? PathText.clean(target) : id }

    /// secret: what names it: the source, `id`, or the target's last component.
    package var secretID: String {
        if !source.isEmpty { return source }
        return id.isEmpty ? PathText.lastComponent(target) : id
    }

    /// secret: the file that holds it; nil where it only goes into a variable.
    package var secretPath: String? {
        if !target.isEmpty { return target }
        return environmentName == nil ? "/run/secrets/" + PathText.lastComponent(secretID) : nil
    }

    private static let keys = [
        "type", "from", "source", "target", "readonly", "id", "sharing", "required", "size", "mode", "uid", "gid",
        "src", "dst",
        "destination", "ro", "rw", "readwrite", "env",
    ]

    /// Only the stage or image of a mount, and that nothing in it is a variable: stages must be known before anything
    /// is expanded.
    ///
    /// - Throws: a message where the text is no CSV line or `from` holds a variable.
    static func origin(of text: String) throws(MessageError) -> String? {
        var origin: String?
        for field in try CSV.fields(text) {
            let (key, value) = Variables.split(field)
            guard key.lowercased() == "from", !value.isEmpty else { continue }
            if let dollar = value.unicodeScalars.firstIndex(of: "$"),
                value.unicodeScalars.index(after: dollar) != value.endIndex
            {
                throw MessageError("'from' doesn't support variable expansion, define alias stage instead")
            }
            origin = value
        }
        return origin
    }

    /// Reads a mount whose values go through `expand`.
    ///
    /// - Throws: a message in BuildKit's words.
    init(_ text: String, expand: (String) throws(MessageError) -> String) throws(MessageError) {
        var readOnly: Bool?
        for field in try CSV.fields(text) {
            let (written, value) = Variables.split(field)
            let key = written.lowercased()
            if written.utf8.count == field.utf8.count {
                try setFlag(key, field: field, &readOnly)
            } else {
                try set(key, try expand(value), field: field, &readOnly)
            }
        }
        isReadOnly = readOnly ?? (kind != .cache && kind != .tmpfs)
        try check()
    }

    private mutating func setFlag(_ key: String, field: String, _ readOnly: inout Bool?) throws(MessageError) {
        switch key {
        case "readonly", "ro": readOnly = true
        case "readwrite", "rw": readOnly = false
        case "required":
            try require(key, [.secret, .ssh])
            isRequired = true
        default: throw MessageError("invalid field '\(field)' must be a key=value pair")
        }
    }

    private func require(_ key: String, _ kinds: Set<Kind>) throws(MessageError) {
        guard kinds.contains(kind) else {
            throw MessageError("unexpected key '\(key)' for mount type '\(kind.rawValue)'")
        }
    }

    private mutating func set(
        _ key: String,
        _ value: String,
        field: String,
        _ readOnly: inout Bool?
    ) throws(MessageError) {
        func number<T: FixedWidthInteger>(_ radix: Int) throws(MessageError) -> T {
            guard let number = T(value, radix: radix), !value.hasPrefix("+") else {
                throw MessageError("invalid value \(value) for \(key)")
            }
            return number
        }
        func bool() throws(MessageError) -> Bool {
            guard let bool = GoText.bool(value) else { throw MessageError("invalid value for \(key): \(value)") }
            return bool
        }
        switch key {
        case "type": kind = try choice("mount type", value)
        case "from": from = value.isEmpty ? nil : value
        case "source", "src": source = value
        case "target", "dst", "destination": target = value
        case "readonly", "ro": readOnly = try bool()
        case "readwrite", "rw": readOnly = !(try bool())
        case "required":
            try require(key, [.secret, .ssh])
            isRequired = try bool()
        case "size":
            try require(key, [.tmpfs])
            guard let bytes = ByteSize.bytes(value) else { throw MessageError("invalid value for size: \(value)") }
            size = bytes
        case "id": id = value
        case "sharing": sharing = try choice("sharing value", value)
        case "mode": mode = try number(8)
        case "uid": uid = try number(10)
        case "gid": gid = try number(10)
        case "env": environmentName = value
        default:
            throw MessageError(
                "unexpected key '\(key)' in '\(field)'" + Suggestion.text(for: key, among: RunMount.keys)
            )
        }
    }

    private func choice<T: RawRepresentable<String> & CaseIterable>(
        _ what: String,
        _ value: String
    ) throws(MessageError) -> T {
        if let known = T(rawValue: value.lowercased()) { return known }
        let suggestion = Suggestion.text(for: value, among: T.allCases.map(\.rawValue))
        throw MessageError("unsupported \(what) \(GoText.quote(value))\(suggestion)")
    }

    private func check() throws(MessageError) {
        if kind == .bind || kind == .tmpfs {
            for (name, value) in [("mode", mode), ("uid", uid), ("gid", gid)] where value != nil {
                throw MessageError("\(name) not allowed for \(GoText.quote(kind.rawValue)) type mounts")
            }
        }
        if kind == .secret {
            if from != nil { throw MessageError("secret mount should not have a from") }
            if sharing != nil { throw MessageError("secret mount should not define sharing") }
            if source.isEmpty, target.isEmpty, id.isEmpty {
                throw MessageError("invalid secret mount. one of source, target required")
            }
            if !source.isEmpty, !id.isEmpty { throw MessageError("both source and id can't be set") }
        }
        if sharing != nil, kind != .cache { throw MessageError("invalid cache sharing set for \(kind.rawValue) mount") }
        if kind == .ssh, !source.isEmpty { throw MessageError("ssh does not support source") }
    }
}

/// One line of comma-separated values, fields quoted by `"` (RFC 4180).
enum CSV {
    static func fields(_ text: String) throws(MessageError) -> [String] {
        var fields: [String] = []
        var rest = text.scalars[...]
        while true {
            var field = ""
            if rest.first == "\"" {
                rest.removeFirst()
                while true {
                    let part = rest.prefix { $0 != "\"" }
                    rest = rest.dropFirst(part.count)
                    field += part.string
                    guard !rest.isEmpty else {
                        throw MessageError("failed to parse csv mounts: extraneous or missing \" in quoted-field")
                    }
                    rest.removeFirst()
                    guard rest.first == "\"" else { break }
                    field += "\""
                    rest.removeFirst()
                }
                guard rest.isEmpty || rest.first == "," else {
                    throw MessageError("failed to parse csv mounts: extraneous or missing \" in quoted-field")
                }
            } else {
                let part = rest.prefix { $0 != "," }
                guard !part.contains("\"") else {
                    throw MessageError("failed to parse csv mounts: bare \" in non-quoted-field")
                }
                field = part.string
                rest = rest.dropFirst(part.count)
            }
            fields.append(field)
            guard !rest.isEmpty else { return fields }
            rest.removeFirst()
        }
    }
}

/// `10m`, `1.5GiB`, `64kb`: sizes as docker reads them, in powers of 1024.
enum ByteSize {
    static func bytes(_ text: String) -> Int64? {
        let scalars = text.lowercased().scalars[...]
        let number = scalars.prefix { $0.isDigit || $0 == "." }
        var unit = scalars.dropFirst(number.count).trimmed.string
        guard number.contains(where: \.isDigit), let value = Double("0" + number.string) else { return nil }
        if unit.hasSuffix("ib") { unit.removeLast(2) } else if unit.hasSuffix("b") { unit.removeLast() }
        guard let power = ["", "k", "m", "g", "t", "p"].firstIndex(of: unit) else { return nil }
        let bytes = value * Double(Int64(1) << (10 * Int64(power)))
        return bytes < 9.2e18 ? Int64(bytes) : nil
    }
}
