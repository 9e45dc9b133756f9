extension StringProtocol {
    /// Whether it begins with a slash: as bytes, since to Swift a slash with a combining mark behind it is another character,
    /// and to the kernel it is a slash.
    package var isAbsolutePath: Bool { utf8.first == UInt8(ascii: "/") }
}
