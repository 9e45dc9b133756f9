import CLinux
import LinuxSystem
import TestSupport

/// What of the host an attack aims at: a folder of the suite's own.
struct Victim {
    /// Stands in no other file, and is written in two parts, so that not even this source is one.
    static let secret = "the-hosts-" + "secret-is-out"

    let folder: String
    var file: String { "\(folder)/file" }
    var program: String { "\(folder)/program" }
    /// A folder in it with a file.
    var inner: String { "\(folder)/inner" }
    /// Not there.
    var absent: String { "\(folder)/absent" }

    init(in parent: String) throws {
        folder = "\(parent)/victim"
        try Files.makeDirectories(inner)
        try Files.write(file, Array("\(Self.secret)\n".utf8), mode: 0o644)
        try Files.write("\(inner)/file", Array("\(Self.secret)\n".utf8), mode: 0o600)
        try Files.write(program, Array("#!/bin/sh\n: > \(folder)/ran\n".utf8), mode: 0o755)
        try retrying("chmod", program) { chmod(program, 0o755) }
    }

    /// A link's target that leads to a path of the host's from however deep, and to what lies behind the root of a container
    /// if that is where `..` ends.
    static func up(_ path: String) -> String { String(repeating: "../", count: 14) + path.drop { $0 == "/" } }

    /// Every name below the folder, and all that there is to know of it.
    func snapshot() -> [String: String] {
        var all: [String: String] = [:]
        func look(_ path: String) {
            guard let status = try? FileStatus.of(path) else { return }
            var known =
                "\(status.kind) \(status.mode) \(status.owner):\(status.group) \(status.size) \(status.links) "
                + "\(status.modified.tv_sec).\(status.modified.tv_nsec) \(status.changed.tv_sec).\(status.changed.tv_nsec)"
            if status.kind == .file { known += (try? Files.readText(path)) ?? "" }
            all[path] = known
            if status.kind == .directory {
                for name in (try? Files.list(path)) ?? [] { look("\(path)/\(name)") }
            }
        }
        look(folder)
        return all
    }

    /// What has changed since, in a line; nil where nothing has.
    func difference(from before: [String: String]) -> String? {
        let now = snapshot()
        let paths = Set(before.keys).union(now.keys).filter { before[$0] != now[$0] }.sorted()
        let mounts = HostProcesses.mounts(below: folder)
        if !mounts.isEmpty { return "mounted in the host: \(mounts)" }
        guard let path = paths.first else { return nil }
        return "\(paths.count) changed, \(path.dropFirst(folder.count)): \(before[path] ?? "-") -> \(now[path] ?? "-")"
    }
}
