import OCI

/// A D-Bus message: a call, its answer, or a signal (D-Bus specification, "Message Format").
struct DBusMessage: Equatable, Sendable {
    enum Kind: UInt8, Sendable {
        case call = 1
        case answer = 2
        case error = 3
        case signal = 4
    }

    var kind: Kind
    var serial: UInt32 = 0
    var path: String?
    var interface: String?
    var member: String?
    var errorName: String?
    /// The serial of the call that this answers.
    var answers: UInt32?
    var destination: String?
    var sender: String?
    var body: [DBusValue] = []

    init(_ kind: Kind) { self.kind = kind }

    /// A call of a method.
    init(call member: String, of interface: String, at path: String, on destination: String?, _ body: [DBusValue] = [])
    {
        self.init(.call)
        self.member = member
        self.interface = interface
        self.path = path
        self.destination = destination
        self.body = body
    }

    private enum Field: UInt8 {
        case path = 1
        case interface, member, errorName, answers, destination, sender, signature
    }

    /// The header's fields may stand in any order; here it is sd-bus's.

    var bytes: [UInt8] {
        var content = DBusEncoder()
        for value in body { content.append(value) }
        var fields: [DBusValue] = []
        func add(_ field: Field, _ value: DBusValue?) {
            if let value { fields.append(.structure([.byte(field.rawValue), .variant(value)])) }
        }
        add(.path, path.map { .objectPath($0) })
        add(.member, member.map { .string($0) })
        add(.interface, interface.map { .string($0) })
        add(.errorName, errorName.map { .string($0) })
        add(.answers, answers.map { .uint32($0) })
        add(.destination, destination.map { .string($0) })
        add(.sender, sender.map { .string($0) })
        if !body.isEmpty { add(.signature, .signature(body.map(\.signature).joined())) }
        var header = DBusEncoder()
        // Little-endian, without flags, of the protocol's version 1.
        for byte in [UInt8(ascii: "l"), kind.rawValue, 0, 1] { header.append(.byte(byte)) }
        header.append(UInt32(content.bytes.count))
        header.append(serial)
        header.append(.array(of: "(yv)", fields))
        header.pad(to: 8)
        return header.bytes + content.bytes
    }

    /// The length of the message that begins with `bytes`; nil while its first sixteen are not there.
    static func length(_ bytes: [UInt8]) throws(EngineError) -> Int? {
        guard bytes.count >= 16 else { return nil }
        guard bytes[0] == UInt8(ascii: "l"), bytes[3] == 1 else { throw DBusDecoder.malformed }
        var decoder = DBusDecoder(Array(bytes[4..<16]))
        let body = Int(try decoder.number(UInt32.self))
        _ = try decoder.number(UInt32.self)
        let fields = Int(try decoder.number(UInt32.self))
        // The specification allows 128 MiB; systemd's answers are a few hundred bytes.
        guard body <= 16 << 20, fields <= 16 << 20 else { throw DBusDecoder.malformed }
        return (16 + fields + 7) / 8 * 8 + body
    }

    /// Reads a whole message. One of a kind that the specification does not know is nil, and to be ignored.
    static func read(_ bytes: [UInt8]) throws(EngineError) -> DBusMessage? {
        var decoder = DBusDecoder(bytes)
        guard case .structure(let header)? = try decoder.values("(yyyyuua(yv))").first, header.count == 7,
            case .byte(let kind) = header[1], case .uint32(let size) = header[4], case .uint32(let serial) = header[5],
            case .array(_, let fields) = header[6]
        else { throw DBusDecoder.malformed }
        try decoder.align(to: 8)
        guard bytes.count - decoder.position == Int(size) else { throw DBusDecoder.malformed }
        guard let kind = Kind(rawValue: kind) else { return nil }
        var message = DBusMessage(kind)
        message.serial = serial
        var signature = ""
        for case .structure(let field) in fields {
            guard case .byte(let code) = field[0], case .variant(let value) = field[1] else { continue }
            switch (Field(rawValue: code), value) {
            case (.path, .objectPath(let text)): message.path = text
            case (.interface, .string(let text)): message.interface = text
            case (.member, .string(let text)): message.member = text
            case (.errorName, .string(let text)): message.errorName = text
            case (.answers, .uint32(let number)): message.answers = number
            case (.destination, .string(let text)): message.destination = text
            case (.sender, .string(let text)): message.sender = text
            case (.signature, .signature(let text)): signature = text
            default: continue
            }
        }
        var content = DBusDecoder(Array(bytes[decoder.position...]))
        message.body = try content.values(signature)
        return message
    }
}
