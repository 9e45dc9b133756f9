import LinuxSystem
import OCI

/// Ids and names of containers.
package enum ContainerName {
    /// 64 random hexadecimal digits.
    package static func newID() throws -> String {
        let digits = Array("0123456789abcdef".utf8)
        let bytes = try Random.bytes(32)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    /// Whether a text is an id: of a folder's name, a link's target or a file's content, before it becomes a part of a path.
    package static func isID(_ text: String) -> Bool {
        text.utf8.count == 64 && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }

    /// Checks a name that somebody chose.
    package static func check(_ name: String) throws(EngineError) {
        guard isValid(name) else {
            throw EngineError(
                .invalid,
                "Invalid container name (\(name)), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
            )
        }
    }

    /// docker's `[a-zA-Z0-9][a-zA-Z0-9_.-]+`, and short enough for a file's name. Volumes have the same rule.
    package static func isValid(_ name: String) -> Bool {
        guard let first = name.utf8.first, isAlphanumeric(first), (2...200).contains(name.utf8.count) else {
            return false
        }
        return name.utf8.allSatisfy { isAlphanumeric($0) || "_.-".utf8.contains($0) }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
    }

    /// A name for a container that was given none: a mood and somebody who moved computing, mathematics or exploration on.
    package static func random() throws -> String {
        let bytes = try Random.bytes(2)
        return moods[Int(bytes[0]) % moods.count] + "_" + people[Int(bytes[1]) % people.count]
    }

    private static let moods = [
        "amber", "apt", "awake", "balmy", "blithe", "bold", "brave", "breezy", "bright", "brisk", "calm", "candid",
        "chipper",
        "civil", "clear", "clever", "cosmic", "cozy", "crisp", "daring", "deft", "eager", "early", "earnest", "fair",
        "fleet",
        "fond", "frank", "gentle", "glad", "golden", "hardy", "hearty", "honest", "jolly", "keen", "kind", "lively",
        "lucid",
        "lunar", "mellow", "merry", "mild", "nimble", "noble", "patient", "placid", "plucky", "polite", "proud",
        "quick",
        "quiet", "ready", "serene", "sharp", "silent", "sleek", "solar", "spry", "steady", "sunny", "swift", "tidy",
        "warm",
    ]

    private static let people = [
        "abel", "ada", "agnesi", "aryabhata", "babbage", "backus", "banneker", "bernoulli", "bohr", "boole", "borg",
        "brahe",
        "cantor", "cerf", "chandra", "clarke", "conway", "curie", "dijkstra", "dirac", "easley", "engelbart", "euler",
        "faraday", "fermat", "feynman", "floyd", "galois", "gauss", "germain", "hamilton", "hamming", "hawking",
        "hilbert",
        "hoare", "hopper", "hypatia", "ibnsina", "johnson", "kepler", "kilby", "knuth", "kovalevskaya", "lamarr",
        "lamport",
        "leavitt", "liskov", "lovelace", "mccarthy", "meitner", "mirzakhani", "noether", "pascal", "perlman", "ptolemy",
        "ramanujan", "ride", "ritchie", "shannon", "somerville", "tereshkova", "thompson", "turing", "wing",
    ]
}
