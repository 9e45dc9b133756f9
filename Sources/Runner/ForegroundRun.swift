import Images
import LinuxSystem
import OCI
import Runtime

/// A foreground run between its claim and its end: what it has made, and how that goes again.
struct ForegroundRun {
    let engine: Engine
    let prepared: PreparedRun
    private(set) var record: ContainerRecord
    var report: RunReport
    /// Statistics are wanted at the end.
    let reports: Bool
    /// The container is known already, and stays after a launch that failed.
    let wasCreated: Bool
    private var cgroup: Cgroup?

    init(
        engine: Engine,
        prepared: PreparedRun,
        record: ContainerRecord,
        report: RunReport,
        reports: Bool,
        wasCreated: Bool
    ) {
        self.engine = engine
        self.prepared = prepared
        self.record = record
        self.report = report
        self.reports = reports
        self.wasCreated = wasCreated
    }

    private var bundle: String { engine.containers.bundle(record.id, removedAtEnd: record.removeAtEnd) }

    /// Makes the container's folders, and on v2 its cgroup, into which a process can only be born if it is there.
    mutating func begin() throws {
        try engine.makeFolders(of: record, prepared)
        if prepared.cgroup.cloneInto != nil { cgroup = try Cgroup.create(prepared.cgroup) }
        report.prepared = Clock.monotonic
    }

    /// Launches and waits. `recorded` is called when the record is on the disk.
    mutating func carryOut(_ execution: inout Execution, recorded: () -> Void, started: () -> Void) throws {
        let ending = try execution.run(prepared.plan) {
            // While the shim is at work.
            if cgroup == nil { cgroup = try Cgroup.create(prepared.cgroup) }
            // A container that stays is known before anything of its image is executed.
            if !record.removeAtEnd { try writeRecord(recorded) }
        } meanwhile: {
            // What is to survive a power cut does from here on; the program does not wait for the disk.
            if record.removeAtEnd { try writeRecord(recorded) } else { try engine.containers.sync(record) }
            try Files.write("\(bundle)/config.json", prepared.spec.json.bytes(), mode: 0o600)
        } started: {
            started()
        }
        report.take(ending)
        record.state.exitCode = ending.status.code
        if ending.lost { record.state.error = "the shim was killed" }
    }

    private mutating func writeRecord(_ recorded: () -> Void) throws {
        record.state = ContainerRecord.State()
        record.state.status = .running
        record.state.started = Clock.realtime
        if !wasCreated { try engine.containers.create(record) }
        try engine.containers.writeState(record)
        recorded()
    }

    /// After the program's end: statistics, cgroup, and the record of a container that stays.
    mutating func settle() throws {
        if let cgroup {
            let limited = record.options.resources.memory.limit != nil
            if reports || limited { report.statistics = try? cgroup.statistics() }
            record.state.outOfMemory = (report.statistics?.memory?.outOfMemoryKills ?? 0) > 0
            try cgroup.remove(in: prepared.cgroup.roots)
            self.cgroup = nil
        }
        report.exitCode = record.state.exitCode
        if record.removeAtEnd { return }
        record.state.status = .exited
        record.state.finished = Clock.realtime
        try engine.containers.writeState(record, durable: true)
    }

    /// After a failure; true where the container stays. As with docker it stays after a launch that failed, unless it was to be
    /// removed, and says why. Where something else went wrong it stays if it was created before.
    mutating func abandon(_ error: any Error) throws -> Bool {
        try cgroup?.remove(in: prepared.cgroup.roots)
        guard let failure = error as? LaunchFailure else {
            guard wasCreated, record.state.status == .running else { return wasCreated }
            // It ran, and this process could not follow it.
            record.state.status = .exited
            record.state.exitCode = 137
            record.state.error = "\(error)"
            record.state.finished = Clock.realtime
            try engine.containers.writeState(record, durable: true)
            return true
        }
        record.state = ContainerRecord.State()
        record.state.exitCode = failure.exitCode
        record.state.error = failure.error.message
        guard !record.removeAtEnd else { return false }
        if !wasCreated { try engine.containers.create(record) }
        try engine.containers.writeState(record, durable: true)
        return true
    }
}

extension LaunchFailure {
    /// docker's, of a container whose program was never executed.
    var exitCode: Int32 {
        switch error.kind {
        case .commandNotFound: 127
        case .commandNotExecutable: 126
        default: 128
        }
    }
}
