import CLinux
import LinuxSystem
import OCI

/// `quarantine/`: where damaged content goes that only a person may destroy.
package struct Quarantine {
    private let folder: String

    /// - Parameter root: the store's.
    package init(of root: String) { folder = "\(root)/quarantine" }

    /// Moves a file or a folder there.
    ///
    /// - Parameter name: what its name there begins with; nil for its own.
    package func take(_ file: String, as name: String? = nil) throws {
        try make()
        // The quarantine itself was in the way.
        if file == folder { return }
        let name = name ?? file.split(separator: "/").last.map(String.init) ?? "unnamed"
        let place = try place(name)
        try retrying("moving", file) { rename(file, place) }
    }

    /// Writes down there what is taken out of another file.
    func write(_ bytes: [UInt8], as name: String, suffix: String) throws {
        try make()
        try Files.replace(place(name) + suffix, with: bytes, durable: true)
    }

    /// Removes an unpacked layer that was moved there and has been made anew.
    func removeLayer(_ chainID: Digest) throws {
        let beginning = Quarantine.name(ofLayer: chainID) + "-"
        for name in try Files.list(folder, followingLink: false) where name.hasPrefix(beginning) {
            try Files.removeTree("\(folder)/\(name)")
        }
    }

    /// What the name of an unpacked layer there begins with.
    static func name(ofLayer chainID: Digest) -> String { "layer-\(chainID.hex.prefix(32))" }

    private func place(_ name: String) throws -> String {
        "\(folder)/\(name)-\(String(try Random.number(), radix: 16))"
    }

    /// Something else in the folder's place becomes its first content.
    private func make() throws {
        guard let kind = (try? FileStatus.of(folder))?.kind, kind != .directory else {
            return try Files.makeDirectories(folder, mode: 0o700)
        }
        let other = "\(folder)-\(String(try Random.number(), radix: 16))"
        try retrying("moving", folder) { rename(folder, other) }
        try Files.makeDirectories(folder, mode: 0o700)
        try retrying("moving", other) { rename(other, "\(folder)/quarantine") }
    }
}
