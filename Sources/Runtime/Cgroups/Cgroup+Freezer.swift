import CLinux
import LinuxSystem
import OCI

/// Whether the processes of a cgroup are stopped (`pause`).
package enum FreezerState: String, Sendable {
    case thawed
    /// Some of them still run.
    case freezing
    case frozen
}

extension Cgroup {
    /// Whether its processes are stopped, now and by this cgroup itself, not by one above it. Nil where the container
    /// is in no cgroup that can be frozen, or has none. Reads one or two small files and waits for nothing.
    package func freezerState() throws(SystemError) -> FreezerState? {
        if let root = hierarchy.mounts[.freezer],
            let state = try Cgroup.freezerState(mounted: name.directory(in: root)), state != .thawed
        {
            return state
        }
        if let root = hierarchy.unified?.directory,
            let state = try Cgroup.freezerState(unified: name.directory(in: root))
        {
            return state
        }
        return directory(of: .freezer) == nil ? nil : .thawed
    }

    /// Whether its processes are stopped. In the middle of a `pause` or `resume` this waits for the end of it, at most
    /// `timeout` milliseconds, and then says true: who asks must not count on processes that run.
    package func isFrozen(timeout: Int = 100) throws(SystemError) -> Bool {
        let deadline = Clock.monotonic + UInt64(max(timeout, 0)) * 1_000_000
        while true {
            let state = try freezerState()
            if state != .freezing || Clock.monotonic > deadline { return state == .frozen || state == .freezing }
            usleep(1000)
        }
    }

    private static func freezerState(mounted directory: String) throws(SystemError) -> FreezerState? {
        guard let text = try text(of: "\(directory)/freezer.state") else { return nil }
        if text.hasPrefix("THAWED") { return .thawed }
        // A cgroup above may be the frozen one; then this one is as it was.
        if try self.text(of: "\(directory)/freezer.self_freezing")?.hasPrefix("0") == true { return .thawed }
        return text.hasPrefix("FROZEN") ? .frozen : .freezing
    }

    private static func freezerState(unified directory: String) throws(SystemError) -> FreezerState? {
        guard let text = try text(of: "\(directory)/cgroup.freeze") else { return nil }
        guard text.hasPrefix("1") else { return .thawed }
        return try self.text(of: "\(directory)/cgroup.events")?.contains("frozen 1") == true ? .frozen : .freezing
    }

    /// Nil for a cgroup that is not there, or went while it was read.
    private static func text(of file: String) throws(SystemError) -> String? {
        do {
            return try Files.readText(file)
        } catch {
            if error.code == ENOENT || error.code == ENODEV { return nil }
            throw error
        }
    }
}

extension Cgroup {
    /// Stops every process in the cgroup where it stands, or lets them go on. Returns when all of them are stopped; if
    /// they do not stop in time they go on.
    package func setFrozen(_ frozen: Bool, timeout: Int = 10_000) throws {
        let deadline = Clock.monotonic + UInt64(max(timeout, 0)) * 1_000_000
        do {
            if try freezeV1(frozen ? "FROZEN" : "THAWED") {
                // Who froze it through v2 on a hybrid machine wants it to go on too.
                if !frozen { _ = try freezeUnified(false) }
                try waitUntil(deadline, isFrozen: frozen) { round in
                    guard frozen else { return }
                    // A freeze that forks overtake begins anew; letting them all run for a moment helps where it does
                    // not end (as runc found).
                    if round % 50 == 49 {
                        _ = try freezeV1("THAWED")
                        usleep(10_000)
                    }
                    _ = try freezeV1("FROZEN")
                }
            } else if try freezeUnified(frozen) {
                try waitUntil(deadline, isFrozen: frozen)
            } else {
                throw EngineError(.unsupported, "cannot pause \(name.leaf): it is in no cgroup that can be frozen")
            }
        } catch {
            if frozen {
                _ = try? freezeV1("THAWED")
                _ = try? freezeUnified(false)
            }
            throw error
        }
    }

    /// False where the container is not in the v1 freezer.
    func freezeV1(_ state: String) throws -> Bool {
        guard let directory = directory(of: .freezer) else { return false }
        try Cgroup.ignoringGone { () throws(SystemError) in
            try Files.overwrite("\(directory)/freezer.state", state)
        }
        return true
    }

    /// False where the container has no cgroup on v2.
    func freezeUnified(_ frozen: Bool) throws -> Bool {
        guard let unifiedDirectory else { return false }
        try Cgroup.ignoringGone { () throws(SystemError) in
            try Files.overwrite("\(unifiedDirectory)/cgroup.freeze", frozen ? "1" : "0")
        }
        return true
    }

    private func waitUntil(_ deadline: UInt64, isFrozen: Bool, again: (Int) throws -> Void = { _ in }) throws {
        var pause: useconds_t = 50
        var round = 0
        while true {
            let state = try freezerState()
            // One that went has nothing that runs.
            if state == nil || state == (isFrozen ? .frozen : .thawed) { return }
            if Clock.monotonic > deadline { throw EngineError(.failed, "the processes of \(name.leaf) do not stop") }
            usleep(pause)
            pause = min(pause * 2, 10_000)
            try again(round)
            round += 1
        }
    }
}
