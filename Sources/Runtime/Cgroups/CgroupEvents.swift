import CLinux
import LinuxSystem
import OCI

/// What happens to a cgroup's processes: those that the kernel kills for want of memory, and the end of the last one.
package struct CgroupEvents: ~Copyable {
    package enum Event: Equatable, Sendable {
        /// A process of the container was killed, or on v1 is stopped, because the memory limit was reached.
        case outOfMemory
        /// No process is left, or on v1 the cgroup is gone. The last event.
        case ended
    }

    /// Readable when `next()` has something.
    package let descriptor: FileDescriptor

    /// Begins to listen.
    package init(_ cgroup: Cgroup) throws {
        throw EngineError(.unsupported, "no memory controller")
    }

    /// The next event, or nil where there is none yet; does not wait.
    package mutating func next() throws(SystemError) -> Event? { nil }
}
