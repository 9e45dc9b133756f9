import CLinux
import LinuxSystem
import OCI

/// Compiled filters in a folder of files, because compiling docker's default takes longer than all else that starts a
/// container, and reading it does not.
///
/// A file is believed only if it is the caller's own or root's, nobody else can write it, its checksum is right and it
/// holds the very key that is asked for; anything else is compiled again and replaced. The key is kept whole in the
/// file, so its hash is only a file name, and a profile made to collide gains nothing. The cache saves time and nothing
/// else: where the folder is missing, full, or not to be trusted, filters are compiled each time.
package struct SeccompCache: Sendable {
    /// Made with mode 0700 when it is first needed.
    package let directory: String

    package init(directory: String) { self.directory = directory }

    /// The filter for a configuration.
    package func filter(for configuration: SeccompConfiguration) throws -> SeccompFilter {
        var key = Encoder()
        key.string("configuration")
        key.environment()
        key.configuration(configuration)
        return try filter(key: key.bytes) { try SeccompFilter.compile(configuration) }
    }

    /// The filter of docker's default profile. Where it is cached, the profile's table is not even expanded.
    package func filter(
        forDockerDefaultWith capabilities: CapabilitySet,
        kernel: KernelVersion,
        architecture: SeccompConfiguration.Architecture = .native
    ) throws -> SeccompFilter {
        var key = Encoder()
        key.string("docker-default")
        key.environment()
        key.string(DockerProfile.version)
        key.number(capabilities.rawValue)
        key.number(UInt64(kernel.major))
        key.number(UInt64(kernel.minor))
        key.string(architecture.rawValue)
        return try filter(key: key.bytes) {
            try SeccompFilter.compile(
                DockerProfile.configuration(capabilities: capabilities, kernel: kernel, architecture: architecture)
            )
        }
    }

    /// Where the filter with this key is kept.
    func path(key: [UInt8]) -> String { "\(directory)/\(hexadecimal(FNV1a.hash(key))).filter" }

    private func filter(key: [UInt8], compile: () throws -> SeccompFilter) throws -> SeccompFilter {
        let path = path(key: key)
        if let filter = try? read(path, key: key) { return filter }
        let filter = try compile()
        // A full disk must not keep a container from starting.
        try? store(filter, key: key, path)
        return filter
    }

    private func read(_ path: String, key: [UInt8]) throws(SystemError) -> SeccompFilter? {
        guard isTrusted(try FileStatus.of(directory), .directory) else { return nil }
        let file = try FileDescriptor.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
        guard isTrusted(try file.status(), .file) else { return nil }
        return Entry.decode(try file.readAll(limit: 1 << 24), key: key)
    }

    private func store(_ filter: SeccompFilter, key: [UInt8], _ path: String) throws(SystemError) {
        try Files.makeDirectories(directory, mode: 0o700)
        guard isTrusted(try FileStatus.of(directory), .directory) else { return }
        try Files.replace(path, with: Entry.encode(filter, key: key), mode: 0o600)
    }

    private func isTrusted(_ status: FileStatus, _ kind: FileStatus.Kind) -> Bool {
        status.kind == kind && (status.owner == geteuid() || status.owner == 0) && status.mode & 0o022 == 0
    }
}

/// The bytes of a cache file: magic, three lengths and flags, a checksum of all that follows it, the key, the program.
private enum Entry {
    private static let magic = Array("minirunF".utf8)
    private static let headerSize = 8 + 4 + 4 + 4 + 4 + 8

    static func encode(_ filter: SeccompFilter, key: [UInt8]) -> [UInt8] {
        var header = Encoder()
        header.bytes = magic
        header.word(UInt32(key.count))
        header.word(UInt32(filter.program.count))
        header.word(filter.flags)
        header.word(0)
        let checksum = FNV1a.hash(header.bytes, key, filter.program)
        header.number(checksum)
        return header.bytes + key + filter.program
    }

    static func decode(_ bytes: [UInt8], key: [UInt8]) -> SeccompFilter? {
        guard bytes.count > headerSize + key.count, bytes.starts(with: magic) else { return nil }
        let flags = bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 16, as: UInt32.self) }
        let start = headerSize + key.count
        guard bytes[headerSize..<start].elementsEqual(key) else { return nil }
        let filter = SeccompFilter(program: Array(bytes[start...]), flags: flags)
        // Encoding it again proves lengths and checksum in one comparison.
        guard filter.program.count % FilterInstruction.size == 0, encode(filter, key: key) == bytes else { return nil }
        return filter
    }
}

/// Writes values so that no two different sequences give the same bytes: everything has a fixed size or its length first.
private struct Encoder {
    var bytes: [UInt8] = []

    mutating func word(_ value: UInt32) { withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) } }
    mutating func number(_ value: UInt64) { withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) } }
    mutating func string(_ text: String) {
        word(UInt32(text.utf8.count))
        bytes.append(contentsOf: text.utf8)
    }
    mutating func strings(_ texts: [String]) {
        word(UInt32(texts.count))
        for text in texts { string(text) }
    }
    mutating func optional(_ value: UInt32?) { number(value.map { UInt64($0) } ?? .max) }

    /// What a compiled filter depends on besides its configuration: whoever changes `SeccompFilter` or `SeccompPrelude`
    /// so that they compile something else adds one to the first number.
    mutating func environment() {
        word(2)
        string(SeccompConfiguration.Architecture.native.rawValue)
        let version = seccomp_version()?.pointee
        for part in [version?.major, version?.minor, version?.micro] { optional(part) }
    }

    /// All of a configuration: also the listener, whose absence makes compiling fail.
    mutating func configuration(_ value: SeccompConfiguration) {
        string(value.defaultAction.rawValue)
        optional(value.defaultErrnoRet)
        strings(value.architectures.map(\.rawValue))
        strings(value.flags.map { ["set"] + $0.map(\.rawValue) } ?? [])
        string(value.listenerPath ?? "")
        word(UInt32(value.syscalls.count))
        for rule in value.syscalls {
            strings(rule.names)
            string(rule.action.rawValue)
            optional(rule.errnoRet)
            word(UInt32(rule.args.count))
            for argument in rule.args {
                word(argument.index)
                number(argument.value)
                number(argument.valueTwo)
                string(argument.op.rawValue)
            }
        }
    }
}

/// The 64-bit Fowler–Noll–Vo hash: a name and a checksum against accidents, no protection against anybody.
private enum FNV1a {
    static func hash(_ parts: [UInt8]...) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for part in parts {
            part.withUnsafeBufferPointer { for byte in $0 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 } }
        }
        return hash
    }
}

private func hexadecimal(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
}
