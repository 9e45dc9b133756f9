import LinuxSystem
import OCI

/// `-e` and `--env-file`.
enum Environment {
    /// `-e A=1` or `-e A`: only an empty name is wrong.
    static func check(_ text: String) throws(ValueError) {
        if text.variableName.isEmpty { throw ValueError("invalid environment variable: \(text)") }
    }

    /// The container's additions: first every file's lines, then `-e`, each as NAME=VALUE in the order given. A name
    /// without a value takes it from `host`, and is dropped where the host has none.
    static func resolve(
        options: [String],
        files: [String],
        host: (String) -> String?
    ) throws(ValueError) -> [String] {
        var result: [String] = []
        for file in files { result += try read(file, host: host) }
        for option in options {
            try check(option)
            if option.isAssignment {
                result.append(option)
            } else if let value = host(option) {
                result.append("\(option)=\(value)")
            }
        }
        return result
    }

    /// docker's file format: NAME=VALUE or NAME on a line; quotes, `$` and trailing blanks are part of the value.
    static func read(_ path: String, host: (String) -> String?) throws(ValueError) -> [String] {
        let bytes: [UInt8]
        do {
            bytes = try Files.read(path, waiting: true)
        } catch {
            throw ValueError("open \(path): \(error.reason.lowercasedFirst)")
        }
        do throws(ValueError) {
            return try parse(bytes, host: host)
        } catch {
            throw ValueError("invalid env file (\(path)): \(error.message)")
        }
    }

    /// The lines of a file's content.
    static func parse(_ content: [UInt8], host: (String) -> String?) throws(ValueError) -> [String] {
        var result: [String] = []
        var number = 0
        for piece in content.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            number += 1
            var bytes = piece
            if bytes.last == UInt8(ascii: "\r") { bytes = bytes.dropLast() }
            if number == 1, bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes = bytes.dropFirst(3) }
            guard String(validating: bytes, as: UTF8.self) != nil else {
                throw ValueError("invalid utf8 bytes at line \(number): \(bytes.map { $0 })".droppingCommas)
            }
            let text = String(rawBytes: bytes)
            let line = String(text.drop { $0.isWhitespace })
            if line.isEmpty || line.first == "#" { continue }
            let (name, value) = line.cut("=")
            if name.isEmpty { throw ValueError("no variable name on line '\(line)'") }
            if name.contains(where: { $0 == " " || $0 == "\t" }) {
                throw ValueError("variable '\(name)' contains whitespaces")
            }
            if value != nil {
                result.append(line)
            } else if let found = host(name) {
                result.append("\(name)=\(found)")
            }
        }
        return result
    }
}

extension String {
    /// The kernel's texts as Go writes them: "no such file or directory".
    var lowercasedFirst: String { prefix(1).lowercased() + dropFirst() }

    /// A list as Go prints it: blanks between the elements.
    fileprivate var droppingCommas: String { filter { $0 != "," } }
}
