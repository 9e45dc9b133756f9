import CLinux

/// Memory by the page (mmap(2)). Pages that nobody touches cost nothing, and all go back to the kernel at the end: malloc(3)
/// would keep large pieces for the thread that once had them.
package final class PageBuffer: @unchecked Sendable {
    package let bytes: UnsafeMutableRawBufferPointer

    /// - Parameter count: in bytes, not 0.
    package init(count: Int) throws(SystemError) {
        let start = mmap(nil, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let start, start != UnsafeMutableRawPointer(bitPattern: -1) else { throw SystemError("taking memory") }
        bytes = UnsafeMutableRawBufferPointer(start: start, count: count)
    }

    deinit { munmap(bytes.baseAddress, bytes.count) }
}
