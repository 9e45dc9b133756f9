import CLinux
import LinuxSystem
import OCI

/// The static program of `rootfs-fixtures/guest`, which says what a container gives it.
package enum GuestProgram {
    package static let fixtures = Process.environment("MINIRUN_FIXTURES") ?? "/var/cache/minirun-fixtures"

    /// A file of the host's, taken out of the image.
    package static let path: String = {
        do { return try extracted() } catch { return "/nonexistent: \(error)" }
    }()

    /// Extracted to a name that is the layer's digest's: runs at the same time write the same bytes.
    private static func extracted() throws -> String {
        let index = try JSON.parse(try Files.read("\(fixtures)/oci/index.json"))
        let entry = index["manifests"]?.array?.first {
            $0["annotations"]?["org.opencontainers.image.ref.name"]?.string == "guest"
        }
        let manifest = try JSON.parse(try Files.read(blob(entry?["digest"]?.string ?? "")))
        let layer = manifest["layers"]?.array?.first?["digest"]?.string ?? ""
        let place = "\(fixtures)/.guest-\(layer.dropFirst(7).prefix(12))"
        if !FileStatus.exists("\(place)/guest") {
            let new = try TemporaryFolder.make()
            try tool("tar", "xf", blob(layer), "-C", new)
            try Files.makeDirectories(place)
            try retrying("naming", place) {
                rename("\(new)/guest", "\(place)/guest") == 0 ? 0 : errno == EXDEV ? -2 : -1
            }
            if !FileStatus.exists("\(place)/guest") { try tool("cp", "-p", "\(new)/guest", "\(place)/guest") }
            try Files.removeTree(new)
        }
        return "\(place)/guest"
    }

    private static func blob(_ digest: String) -> String { "\(fixtures)/oci/blobs/sha256/\(digest.dropFirst(7))" }
}

/// What the guest program reports of its inside.
package struct GuestReport {
    package let json: JSON

    package init(_ outcome: Outcome) throws {
        guard outcome.status == .exited(0) else { throw EngineError(.failed, "the guest did not report: \(outcome)") }
        json = try JSON.parse(Array(outcome.out.utf8))
    }

    package subscript(_ key: String) -> JSON { json[key] ?? .null }

    package var environment: [String] { self["environment"].strings ?? [] }
    package func capabilities(_ set: String) -> [String] { self["capabilities"][set]?.strings ?? [] }
    package var groups: [Int] { self["ids"]["groups"]?.array?.compactMap(\.int) ?? [] }
    package func id(_ name: String) -> Int? { self["ids"][name]?.int }
    /// The mount on exactly this path; the last one where several are stacked.
    package func mount(_ path: String) -> JSON? { self["mounts"].array?.last { $0["mountpoint"]?.string == path } }
    package func options(_ path: String) -> [String] {
        mount(path)?["options"]?.string?.split(separator: ",").map(String.init) ?? []
    }
}
