import OCI
import LinuxSystem

/// `--mount type=bind,src=/a,dst=/b,ro`: fields separated by commas, quoted as in a CSV file.
struct MountOption: Sendable, Equatable {
    enum Kind: String, Sendable { case bind, volume, tmpfs, image }

    /// `bind-recursive`: what happens to the mounts below the source.
    enum Recursion: String, Sendable {
        /// They come along; with `ro` they become read-only where the kernel can (5.12).
        case enabled
        /// They do not come along.
        case disabled
        /// They come along and stay writable.
        case writable
        /// They come along and must become read-only.
        case readonly
    }

    var kind = Kind.volume
    /// A path for a bind (made absolute where it began with "."), a name for a volume or an image.
    var source: String?
    var target = ""
    var readOnly = false
    /// rprivate, private, rshared, shared, rslave or slave; nil for the default.
    var propagation: String?
    var recursion = Recursion.enabled
    /// `bind-create-src`: creates the host's folder if it is missing.
    var createsSource = false
    var tmpfsSize: Int64?
    var tmpfsMode: UInt32?
    var volumeNoCopy = false
    var volumeSubpath: String?
    var imageSubpath: String?

    init(parsing text: String) throws(ValueError) {
        let line = text.trimmed
        if line.isEmpty { throw ValueError("value is empty") }
        var kindWord = Kind.volume.rawValue
        var families: [String] = []
        for field in try CommaSeparated.fields(line) {
            let (key, value) = try MountOption.split(field)
            if key == "type" { kindWord = (value ?? "").lowercased() } else { try set(key, value, field) }
            if let dash = key.firstIndex(of: "-") { families.append(String(key[..<dash])) }
        }
        guard let kind = Kind(rawValue: kindWord) else {
            throw ValueError("invalid mount config for type \(kindWord.goQuoted): mount type unknown")
        }
        self.kind = kind
        try validate(families)
    }

    private static func split(_ field: String) throws(ValueError) -> (key: String, value: String?) {
        let (key, value) = field.cut("=")
        if key.trimmed != key {
            throw ValueError("invalid option '\(key.trimmed)' in '\(field)': option should not have whitespace")
        }
        if let value {
            if value.trimmed.isEmpty { throw ValueError("invalid value for '\(key)': value is empty") }
            if value.trimmed != value {
                throw ValueError("invalid value for '\(key)' in '\(field)': value should not have whitespace")
            }
        }
        let lowered = key.lowercased()
        let switches = ["readonly", "ro", "volume-nocopy", "bind-nonrecursive", "bind-create-src"]
        if value == nil, !switches.contains(lowered) {
            throw ValueError("invalid field '\(field)' must be a key=value pair")
        }
        return (lowered, value)
    }

    private mutating func set(_ key: String, _ value: String?, _ field: String) throws(ValueError) {
        let text = value ?? ""
        switch key {
        case "source", "src": source = text.hasPrefix(".") ? Files.absolute(text) : text
        case "target", "dst", "destination": target = text
        case "readonly", "ro": readOnly = try MountOption.boolean(key, value)
        case "consistency": break
        case "bind-propagation": propagation = text.lowercased()
        case "bind-nonrecursive":
            throw ValueError("bind-nonrecursive is deprecated, use bind-recursive=disabled instead")
        case "bind-recursive":
            guard let recursion = Recursion(rawValue: text) else {
                throw ValueError(
                    "invalid value for \(key): \(text) (must be \"enabled\", \"disabled\", \"writable\", "
                        + "or \"readonly\")"
                )
            }
            self.recursion = recursion
        case "bind-create-src": createsSource = try MountOption.boolean(key, value)
        case "volume-nocopy": volumeNoCopy = try MountOption.boolean(key, value)
        case "volume-subpath": volumeSubpath = text
        case "image-subpath": imageSubpath = text
        case "tmpfs-size":
            guard let size = try? Sizes.bytes(text) else { throw ValueError("invalid value for \(key): \(text)") }
            tmpfsSize = size
        case "tmpfs-mode":
            guard !text.hasPrefix("+"), let mode = UInt32(text, radix: 8) else {
                throw ValueError("invalid value for \(key): \(text)")
            }
            tmpfsMode = mode
        default: throw ValueError("unknown option '\(key)' in '\(field)'")
        }
    }

    private func validate(_ families: [String]) throws(ValueError) {
        for family in families where family != kind.rawValue {
            throw ValueError("cannot mix '\(family)-*' options with mount type '\(kind.rawValue)'")
        }
        if recursion == .writable, !readOnly {
            throw ValueError("option 'bind-recursive=writable' requires 'readonly' to be specified in conjunction")
        }
        if recursion == .readonly {
            let rule = "option 'bind-recursive=readonly' requires"
            if !readOnly { throw ValueError("\(rule) 'readonly' to be specified in conjunction") }
            if propagation != "rprivate" {
                throw ValueError("\(rule) 'bind-propagation=rprivate' to be specified in conjunction")
            }
        }
        if let propagation, !VolumeOption.propagations.contains(propagation) {
            throw invalid("invalid propagation mode: \(propagation)")
        }
        if target.isEmpty { throw invalid("field Target must not be empty") }
        if !target.isAbsolutePath { throw invalid("invalid mount path: '\(target)' mount path must be absolute") }
        if Files.absolute(target) == "/" { throw invalid("invalid specification: destination can't be '/'") }
        switch kind {
        case .bind:
            guard let source else { throw invalid("field Source must not be empty") }
            if !source.isAbsolutePath { throw invalid("invalid mount path: '\(source)' mount path must be absolute") }
        case .image: if source == nil { throw invalid("field Source must not be empty") }
        case .tmpfs: if source != nil { throw invalid("field Source must not be specified") }
        case .volume: break
        }
    }

    private func invalid(_ reason: String) -> ValueError {
        ValueError("invalid mount config for type \(kind.rawValue.goQuoted): \(reason)")
    }

    private static func boolean(_ key: String, _ value: String?) throws(ValueError) -> Bool {
        switch value {
        case nil, "1", "true": return true
        case "0", "false": return false
        case .some(let text):
            throw ValueError(
                "invalid value for '\(key)': invalid boolean value (\(text.goQuoted)): must be one of \"true\", \"1\", "
                    + "\"false\", or \"0\" (default \"true\")"
            )
        }
    }
}

/// One line of a CSV file (RFC 4180).
enum CommaSeparated {
    static func fields(_ line: String) throws(ValueError) -> [String] {
        var fields: [String] = []
        var rest = Array(line)[...]
        var column = 1
        while true {
            let (field, consumed) = try rest.first == "\"" ? quoted(rest, column) : bare(rest, column)
            fields.append(field)
            column += consumed + 1
            rest = rest.dropFirst(consumed)
            if rest.isEmpty { return fields }
            rest = rest.dropFirst()
        }
    }

    private static func bare(_ text: ArraySlice<Character>, _ column: Int) throws(ValueError) -> (String, Int) {
        let field = text.prefix { $0 != "," }
        if let quote = field.firstIndex(of: "\"") {
            let place = column + quote - field.startIndex
            throw ValueError("parse error on line 1, column \(place): bare \" in non-quoted-field")
        }
        return (String(field), field.count)
    }

    /// The field's text and how many characters it took, quotes included.
    private static func quoted(_ text: ArraySlice<Character>, _ column: Int) throws(ValueError) -> (String, Int) {
        var field = ""
        var index = text.startIndex + 1
        while index < text.endIndex {
            if text[index] != "\"" {
                field.append(text[index])
                index += 1
                continue
            }
            let next = index + 1
            if next == text.endIndex || text[next] == "," { return (field, next - text.startIndex) }
            guard text[next] == "\"" else { break }
            field.append("\"")
            index += 2
        }
        let place = column + index - text.startIndex
        throw ValueError("parse error on line 1, column \(place): extraneous or missing \" in quoted-field")
    }
}
