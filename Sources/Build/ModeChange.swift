/// `--chmod`: `0755`, or `u=rwX,go-w` as chmod(1) reads it.
package struct ModeChange: Equatable, Sendable {
    private enum Form: Equatable, Sendable {
        case octal(UInt32)
        case clauses([Clause])
    }

    private struct Clause: Equatable, Sendable {
        /// Of `u`, `g`, `o`: the bits 0o700, 0o70, 0o7, with the set-id and sticky bits that go with them.
        var who: UInt32
        var operation: Unicode.Scalar
        /// Permissions for all three, `X` not included.
        var bits: UInt32
        var executesIfSensible = false
        /// `g=u`: takes the permissions of another.
        var copiedFrom: UInt32?
    }

    private let form: Form

    /// - Throws: a message in BuildKit's words.
    init(_ text: String) throws(MessageError) {
        let numeric = "invalid chmod parameter: '\(text)'. it should be octal string and between 0 and 07777"
        if let first = text.utf8.first, (0x30...0x39).contains(first) {
            guard let mode = UInt32(text, radix: 8), mode <= 0o7777 else { throw MessageError(numeric) }
            form = .octal(mode)
            return
        }
        var clauses: [Clause] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let parsed = ModeChange.clauses(String(part)) else {
                throw MessageError("invalid mode \(GoText.quote(text))")
            }
            clauses += parsed
        }
        form = .clauses(clauses)
    }

    /// The mode (permission bits, 0o7777) of a file that had `mode`.
    package func apply(to mode: UInt32, isDirectory: Bool) -> UInt32 {
        switch form {
        case .octal(let mode): return mode
        case .clauses(let clauses):
            return clauses.reduce(mode & 0o7777) { mode, clause in
                var bits = clause.bits
                if let other = clause.copiedFrom {
                    let permissions = mode & other & 0o777
                    bits = [0o700: permissions >> 6, 0o70: permissions >> 3][other & 0o777] ?? permissions
                    bits = bits | bits << 3 | bits << 6
                }
                if clause.executesIfSensible, isDirectory || mode & 0o111 != 0 { bits |= 0o111 }
                bits &= clause.who
                switch clause.operation {
                case "+": return mode | bits
                case "-": return mode & ~bits
                default:
                    // A folder keeps its set-id bits unless they are named, as chmod(1) does.
                    let kept: UInt32 = isDirectory ? 0o6000 : 0
                    return mode & ~(clause.who & ~kept) | bits
                }
            }
        }
    }

    private static func clauses(_ text: String) -> [Clause]? {
        var rest = text.scalars[...]
        var who: UInt32 = 0
        while let scope = rest.first.flatMap(scope) {
            who |= scope
            rest.removeFirst()
        }
        if who == 0 { who = 0o7777 }
        var clauses: [Clause] = []
        while let operation = rest.first {
            guard operation == "+" || operation == "-" || operation == "=" else { return nil }
            rest.removeFirst()
            var clause = Clause(who: who, operation: operation, bits: 0)
            while let letter = rest.first, !"+-=".unicodeScalars.contains(letter) {
                switch letter {
                case "r": clause.bits |= 0o444
                case "w": clause.bits |= 0o222
                case "x": clause.bits |= 0o111
                case "X": clause.executesIfSensible = true
                case "s": clause.bits |= 0o6000
                case "t": clause.bits |= 0o1000
                case "u", "g", "o": clause.copiedFrom = scope(letter)
                default: return nil
                }
                rest.removeFirst()
            }
            clauses.append(clause)
        }
        return clauses.isEmpty ? nil : clauses
    }

    private static func scope(_ letter: Unicode.Scalar) -> UInt32? {
        switch letter {
        case "u": 0o4700
        case "g": 0o2070
        case "o": 0o1007
        case "a": 0o7777
        default: nil
        }
    }
}
