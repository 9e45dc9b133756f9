extension StringProtocol {
    /// Whether it begins with a slash: as bytes, since to Swift a slash with a combining mark behind it is another character,
    /// and to the kernel it is a slash.
    package var isAbsolutePath: Bool { utf8.first == UInt8(ascii: "/") }
}

extension StringProtocol {
    /// The name of a `NAME=value`; all of it where it has no "=". As bytes, for the same reason.
    package var variableName: SubSequence {
        guard let equals = utf8.firstIndex(of: UInt8(ascii: "=")) else { return self[...] }
        return self[..<equals]
    }

    /// Whether it is `NAME=value`.
    package var isAssignment: Bool { utf8.contains(UInt8(ascii: "=")) }
}
