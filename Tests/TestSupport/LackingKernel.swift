import CLinux
import LinuxSystem

/// A kernel that lacks calls: an older one, or one with a filter around us, as in a container of another engine.
package enum LackingKernel {
    /// Runs `body` on a thread for which, and for all processes that it starts, the named system calls fail: with ENOSYS, as calls
    /// do that a kernel has not got, or with another error.
    package static func lacking<Result: Sendable>(
        _ calls: [String],
        error: CInt = ENOSYS,
        _ body: @escaping @Sendable () throws -> Result
    ) throws -> Result {
        let work = Work {
            try load(calls, error); return try body()
        }
        var thread = pthread_t()
        let code = pthread_create(
            &thread,
            nil,
            { pointer in
                let work = pointer.map { Unmanaged<AnyWork>.fromOpaque($0).takeRetainedValue() }
                work?.run()
                return nil
            },
            Unmanaged<AnyWork>.passRetained(work).toOpaque()
        )
        guard code == 0 else { throw SystemError("starting a thread", code: code) }
        pthread_join(thread, nil)
        guard let result = work.result else { throw SystemError("running a thread", code: EINVAL) }
        return try result.get()
    }

    /// For this thread alone, and for good.
    private static func load(_ calls: [String], _ error: CInt) throws {
        guard let filter = seccomp_init(0x7fff_0000 /* SCMP_ACT_ALLOW */) else {
            throw SystemError("making a filter", code: ENOMEM)
        }
        defer { seccomp_release(filter) }
        for call in calls {
            let number = seccomp_syscall_resolve_name(call)
            let added = seccomp_rule_add_array(
                filter,
                0x0005_0000 /* SCMP_ACT_ERRNO */ | UInt32(error),
                number,
                0,
                nil
            )
            if number < 0 || added != 0 { throw SystemError("a filter for", call, code: EINVAL) }
        }
        let loaded = seccomp_load(filter)
        if loaded != 0 { throw SystemError("loading a filter", code: -loaded) }
    }
}

/// Only the thread touches it until it was joined.
private class AnyWork: @unchecked Sendable {
    func run() {}
}

private final class Work<Value: Sendable>: AnyWork, @unchecked Sendable {
    private let body: @Sendable () throws -> Value
    private(set) var result: Result<Value, any Error>?

    init(_ body: @escaping @Sendable () throws -> Value) { self.body = body }
    override func run() { result = Result { try body() } }
}
