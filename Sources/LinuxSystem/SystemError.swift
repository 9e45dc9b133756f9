import CLinux

/// errno of the calling thread: read it right after the call that failed.
package var errno: Int32 {
    get { linux_errno() }
    set { linux_set_errno(newValue) }
}

/// A system call that failed: what was being done, on which path, and the kernel's error number.
///
/// Its description reads as one line, "opening /etc/passwd: No such file or directory".
package struct SystemError: Error, CustomStringConvertible, Sendable {
    /// What was being done, as a verb in -ing form: "opening", "mounting proc on".
    package let operation: String
    /// The object of the operation, where there is one.
    package let path: String?
    /// The value of errno.
    package let code: Int32

    package init(_ operation: String, _ path: String? = nil, code: Int32 = errno) {
        self.operation = operation
        self.path = path
        self.code = code
    }

    /// The kernel's text for the error number, as strerror(3) gives it.
    package var reason: String { SystemError.text(code) }

    package var description: String {
        if let path { return "\(operation) \(path): \(reason)" }
        return "\(operation): \(reason)"
    }

    /// strerror(3), without its static buffer.
    package static func text(_ code: Int32) -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 128) { buffer in
            guard let base = buffer.baseAddress else { return "error \(code)" }
            linux_error_text(code, base, buffer.count)
            return String(cString: base)
        }
    }
}

/// Runs a system call again while a signal interrupts it, and turns -1 into a `SystemError`.
@discardableResult
@inline(__always)
package func retrying<R: FixedWidthInteger & SignedInteger>(
    _ operation: @autoclosure () -> String,
    _ path: @autoclosure () -> String? = nil,
    _ call: () -> R
) throws(SystemError) -> R {
    while true {
        let result = call()
        if result != -1 { return result }
        let code = errno
        if code == EINTR { continue }
        throw SystemError(operation(), path(), code: code)
    }
}

extension SystemError {
    /// ENOENT and others, for those above who may not import the C library.
    package static let notFound = ENOENT
    package static let notFolder = ENOTDIR
    package static let isFolder = EISDIR
    package static let exists = EEXIST
    package static let readOnly = EROFS
    package static let denied = EACCES
    package static let notPermitted = EPERM
    package static let inputOutput = EIO
}
