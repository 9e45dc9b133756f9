import CLinux
import LinuxSystem
import OCI

/// What happens to a cgroup's processes: those that the kernel kills for want of memory, and the end of the last one.
package struct CgroupEvents: ~Copyable {
    package enum Event: Equatable, Sendable {
        /// The memory limit was reached: a process was killed, or on v1 with `disableOOMKiller` stopped.
        case outOfMemory
        /// No process is left, or on v1 the cgroup is gone. Nothing follows.
        case ended
    }

    /// Readable (poll(2)) when `next()` has something: call that until it returns nil, then wait again.
    package let descriptor: FileDescriptor
    private var source: Source
    private var isOver = false

    private enum Source {
        /// An eventfd(2) that the kernel counts up when memory runs out, and when the cgroup is removed
        /// (cgroup-v1/memory.rst, "OOM control").
        case mounted(directory: String)
        /// An inotify(7) descriptor on memory.events and cgroup.events, which say what happened.
        case unified(CgroupFiles, kills: UInt64)
    }

    /// Begins to listen: for events from now on.
    package init(_ cgroup: Cgroup) throws {
        if let directory = cgroup.directory(of: .memory) {
            self.init(try CgroupEvents.count(directory), .mounted(directory: directory))
        } else if let directory = cgroup.unifiedDirectory, FileStatus.exists("\(directory)/memory.events") {
            let watch = try CgroupEvents.watch(["memory.events", "cgroup.events"].map { "\(directory)/\($0)" })
            let files = CgroupFiles(directory)
            self.init(watch, .unified(files, kills: try CgroupEvents.kills(files)))
        } else {
            throw EngineError(.unsupported, "memory controller missing")
        }
    }

    private init(_ descriptor: consuming FileDescriptor, _ source: Source) {
        self.descriptor = descriptor
        self.source = source
    }

    /// The next event, or nil where there is none yet. Does not wait.
    package mutating func next() throws -> Event? {
        if isOver { return nil }
        let isNews = try drain()
        switch source {
        case .mounted(let directory):
            guard isNews else { return nil }
            // Its removal is told in the same way.
            if FileStatus.exists("\(directory)/cgroup.event_control") { return .outOfMemory }
        case .unified(let files, let kills):
            let now = try CgroupEvents.kills(files)
            source = .unified(files, kills: max(now, kills))
            if now > kills { return .outOfMemory }
            // A cgroup that is gone has no such file.
            if try files.table("cgroup.events")?["populated"] == 1 { return nil }
        }
        isOver = true
        return .ended
    }

    private static func kills(_ files: CgroupFiles) throws(SystemError) -> UInt64 {
        try files.table("memory.events")?["oom_kill"] ?? 0
    }

    private static func count(_ directory: String) throws(SystemError) -> FileDescriptor {
        let flags = CInt(EFD_CLOEXEC) | CInt(EFD_NONBLOCK)
        let counter = FileDescriptor(owning: try retrying("making a counter of events") { eventfd(0, flags) })
        let control = try FileDescriptor.open("\(directory)/memory.oom_control")
        try Files.overwrite("\(directory)/cgroup.event_control", "\(counter.raw) \(control.raw)")
        return counter
    }

    private static func watch(_ files: [String]) throws(SystemError) -> FileDescriptor {
        let flags = CInt(IN_CLOEXEC) | CInt(IN_NONBLOCK)
        let watch = FileDescriptor(owning: try retrying("making a watch") { inotify_init1(flags) })
        for file in files {
            try retrying("watching", file) { inotify_add_watch(watch.raw, file, UInt32(IN_MODIFY)) }
        }
        return watch
    }

    /// Reads what has come, so that the descriptor waits for news. False where nothing had.
    private func drain() throws(SystemError) -> Bool {
        var isNews = false
        // Room for whole inotify events, and eight bytes for an eventfd.
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(descriptor.raw, &buffer, buffer.count)
            if count > 0 { isNews = true } else if count == 0 { return isNews }
            if count < 0, errno == EAGAIN { return isNews }
            if count < 0, errno != EINTR { throw SystemError("reading events") }
        }
    }
}
