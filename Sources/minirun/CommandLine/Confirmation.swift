import LinuxSystem

/// Asks before something is removed.
enum Confirmation {
    /// The prompt goes to standard output, as docker's does; only "y" is a yes, and the end of the input is a no.
    static func ask(_ warning: String) -> Bool {
        Console.print("\(warning)\nAre you sure you want to continue? [y/N] ")
        // Whoever cannot read the question has not answered it.
        if Console.outputFailure != nil { return false }
        var line: [UInt8] = []
        var byte: [UInt8] = [0]
        guard let input = try? StandardStream.input.duplicate() else { return false }
        while line.count < 64 {
            let count = byte.withUnsafeMutableBytes { (try? input.read(into: $0)) ?? 0 }
            if count == 0 || byte[0] == UInt8(ascii: "\n") { break }
            line += byte
        }
        return String(decoding: line, as: UTF8.self).trimmed.lowercased() == "y"
    }
}
