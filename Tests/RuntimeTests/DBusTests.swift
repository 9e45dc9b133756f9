import OCI
import Testing

@testable import Runtime

@Suite("D-Bus")
struct DBusTests {
    static func bytes(_ hex: String) -> [UInt8] {
        let digits = Array(hex.filter { !$0.isWhitespace })
        return stride(from: 0, to: digits.count, by: 2).map { UInt8(String(digits[$0...$0 + 1]), radix: 16) ?? 0 }
    }

    /// What busctl (sd-bus) sends for the same call, but for its flag that allows a question to the user.
    static let startTransientUnit = """
        6c010001e000000002000000b600000001016f00190000002f6f72672f667265656465736b746f702f73797374656d64310000000000
        00000301730012000000537461727454 72616e7369656e74556e697400000000000002017300200000006f72672e667265656465736b
        746f702e73797374656d64312e4d616e61676572000000000000000006017300180000006f72672e667265656465736b746f702e7379
        7374656d64310000000000000000080167001073736128737629612873612873762929 0000000f0000006d696e6972756e2d782e7363
        6f706500070000007265706c61636500b2000000000000000b0000004465736372697074696f6e000173000001000000780000000000
        000005000000536c696365000173000000000c00000073797374656d2e736c69636500000000000000000800000044656c6567617465
        000162000100000000000000040000005049447300026175000000000400000092100000090000004d656d6f72794d61780001740000
        00000000000000000004000000000b000000416c6c6f776564435055730002617900020000000301000000000000
        """

    @Test func callIsWhatBusctlSends() throws {
        var properties = SystemdProperties()
        properties.add("Description", .string("x"))
        properties.add("Slice", .string("system.slice"))
        properties.add("Delegate", .bool(true))
        properties.add("PIDs", .array(of: "u", [.uint32(4242)]))
        properties.add("MemoryMax", .uint64(67_108_864))
        properties.add("AllowedCPUs", .bytes([3, 1]))
        var message = DBusMessage(
            call: "StartTransientUnit",
            of: "org.freedesktop.systemd1.Manager",
            at: "/org/freedesktop/systemd1",
            on: "org.freedesktop.systemd1",
            [.string("minirun-x.scope"), .string("replace"), properties.value, .array(of: "(sa(sv))", [])]
        )
        message.serial = 2
        #expect(message.bytes == Self.bytes(Self.startTransientUnit))
        #expect(try DBusMessage.length(message.bytes) == message.bytes.count)
        #expect(try DBusMessage.read(message.bytes) == message)
    }

    /// The bus's answer to Hello, its signal, and an error, as dbus-daemon sent them.
    @Test func answers() throws {
        let hello = try #require(
            try DBusMessage.read(
                Self.bytes(
                    """
                    6c02010109000000010000003d00000006017300040000003a312e30000000000501750001000000080167000173000007017300
                    140000006f72672e667265656465736b746f702e4442757300000000040000003a312e3000
                    """
                )
            )
        )
        #expect(hello.kind == .answer)
        #expect(hello.answers == 1)
        #expect(hello.sender == "org.freedesktop.DBus")
        #expect(hello.body == [.string(":1.0")])
        let error = try #require(
            try DBusMessage.read(
                Self.bytes(
                    """
                    6c0301013a000000030000007500000006017300040000003a312e3000000000040173002c0000006f72672e667265656465736b
                    746f702e444275732e4572726f722e537061776e2e4368696c64457869746564000000000501750002000000080167000173000007
                    017300140000006f72672e667265656465736b746f702e44427573000000003500000050726f63657373206f72672e667265656465
                    736b746f702e73797374656d643120657869746564207769746820737461747573203100
                    """
                )
            )
        )
        #expect(error.kind == .error)
        #expect(error.errorName == "org.freedesktop.DBus.Error.Spawn.ChildExited")
        #expect(error.answers == 2)
    }

    static let everything: [DBusValue] = [
        .byte(7), .bool(true), .int16(-2), .uint16(3), .int32(-4), .uint32(5), .int64(-6), .uint64(7), .double(1.5),
        .string("ä"), .objectPath("/a"), .signature("a(sv)"), .array(of: "t", []), .array(of: "y", [.byte(1)]),
        .array(of: "(yt)", [.structure([.byte(1), .uint64(2)]), .structure([.byte(3), .uint64(4)])]),
        .variant(.variant(.strings(["a", "", "ccc"]))), .structure([.byte(1), .structure([.string("x")])]),
    ]

    /// From every offset, so that each padding occurs.
    @Test(arguments: 0..<8)
    func roundTrip(_ offset: Int) throws {
        let values = [DBusValue](repeating: .byte(9), count: offset) + Self.everything
        var encoder = DBusEncoder()
        for value in values { encoder.append(value) }
        var decoder = DBusDecoder(encoder.bytes)
        #expect(try decoder.values(values.map(\.signature).joined()) == values)
        #expect(decoder.position == encoder.bytes.count)
    }

    /// Whatever comes is read or refused.
    @Test func hostileMessages() throws {
        let good = Self.bytes(Self.startTransientUnit)
        for length in 0..<good.count {
            #expect(throws: EngineError.self) { try DBusMessage.read(Array(good[..<length])) }
        }
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<5000 {
            var bytes = good
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                bytes[Int.random(in: bytes.indices, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            _ = try? DBusMessage.length(bytes)
            _ = try? DBusMessage.read(bytes)
        }
        // Variants in variants, without an end.
        var deep = DBusDecoder([UInt8](repeating: 0, count: 16) + (0..<100).flatMap { _ in [1, UInt8(ascii: "v"), 0] })
        _ = try deep.values("tt")
        #expect(throws: EngineError.self) { try deep.values("v") }
        #expect(throws: EngineError.self) {
            try DBusMessage.length(Self.bytes("42010001") + [UInt8](repeating: 0, count: 16))
        }
        #expect(
            throws: EngineError.self,
            "longer than any answer of systemd's"
        ) { try DBusMessage.length(Self.bytes("6c010001ffffffff02000000b6000000")) }
    }

    @Test(arguments: [
        "": [], "s": ["s"], "sa(sv)a{sv}": ["s", "a(sv)", "a{sv}"], "aay": ["aay"], "(y(tt))": ["(y(tt))"],
    ])
    func signatures(_ text: String, _ parts: [String]) { #expect(DBusSignature.split(text) == parts) }

    @Test(arguments: ["a", "(", "(s", "z", "s)", "a}", String(repeating: "a", count: 40) + "y"])
    func badSignatures(_ text: String) { #expect(DBusSignature.split(text) == nil) }

    @Test func addresses() {
        let list = DBusAddress.list(
            "tcp:host=x,port=1;unix:guid=1,path=/run/a%2cb;unix:abstract=/tmp/x,guid=2;unix:dir=/tmp"
        )
        #expect(list == [DBusAddress(path: "/run/a,b"), DBusAddress(path: "/tmp/x", isAbstract: true)])
        #expect(
            DBusAddress.systemManager { _ in nil }
                == [
                    DBusAddress(path: "/run/systemd/private", isBus: false),
                    DBusAddress(path: "/run/dbus/system_bus_socket"),
                ]
        )
        let user = ["XDG_RUNTIME_DIR": "/run/user/7", "DBUS_SESSION_BUS_ADDRESS": "unix:path=/b"]
        #expect(
            DBusAddress.userManager { user[$0] }
                == [
                    DBusAddress(path: "/run/user/7/systemd/private", isBus: false), DBusAddress(path: "/b"),
                    DBusAddress(path: "/run/user/7/bus"),
                ]
        )
        #expect(DBusAddress.userManager { _ in nil } == [])
        let error = #expect(throws: EngineError.self) { _ = try DBusConnection.open([]) }
        #expect(error?.message.contains("XDG_RUNTIME_DIR") == true)
        let refused = #expect(throws: EngineError.self) {
            _ = try DBusConnection.open([DBusAddress(path: "/nowhere/socket")])
        }
        #expect(
            refused?.message == "failed to connect to dbus: connecting to /nowhere/socket: No such file or directory"
        )
    }

    static let texts: [String: DBusValue] = [
        "true": .bool(true), "uint64 123456789": .uint64(123_456_789),
        "'inactive-or-failed'": .string("inactive-or-failed"),
        #""it's""#: .string("it's"), #"'a\'\n\u00e4'"#: .string("a'\nä"), "-5": .int32(-5), "1.5": .double(1.5),
        "byte 0x1f": .byte(31), "int16 017": .int16(15), " ['a', 'b'] ": .strings(["a", "b"]), "@as []": .strings([]),
        "@at [1, 2]": .array(of: "t", [.uint64(1), .uint64(2)]),
        "[uint32 1, 2]": .array(of: "u", [.uint32(1), .uint32(2)]),
        "[('/dev/fuse', 'rw')]": .array(of: "(ss)", [.structure([.string("/dev/fuse"), .string("rw")])]),
        "<'x'>": .variant(.string("x")), "objectpath '/a'": .objectPath("/a"), "(1,)": .structure([.int32(1)]),
        "int64 -9223372036854775808": .int64(.min),
    ]

    @Test(arguments: texts.keys.sorted())
    func variantTexts(_ text: String) throws { #expect(try VariantText.parse(text) == Self.texts[text]) }

    @Test(arguments: [
        "", "[]", "'open", "uint32 -1", "byte 256", "xyz", "['a' 'b']", "['a', 1]", "1 2", "@zz 1", "boolean 5",
        "(1, 2", "<1", "@as [1]", "@(ss) ('a',)", "{'a': 1}", "\"\\", "'\\uzzzz'", "()",
    ])
    func badVariantTexts(_ text: String) { #expect(throws: VariantTextError.self) { try VariantText.parse(text) } }
}
