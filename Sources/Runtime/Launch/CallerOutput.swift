import CLinux
import LinuxSystem

/// The caller's output, opened anew so that writing does not wait: O_NONBLOCK on the descriptor itself would be everybody's
/// who shares it, the caller's shell for one.
package struct CallerOutput: ~Copyable {
    private let original: CInt
    private let own: FileDescriptor?
    /// A write may wait even where poll(2) says that there is room.
    package let mayBlock: Bool

    package init(_ original: CInt) {
        self.original = original
        let kind = (try? FileStatus.following("/proc/self/fd/\(original)"))?.kind
        // A file opened anew would be written from its start; and it never keeps anybody waiting. A socket cannot be opened.
        let opened: FileDescriptor? =
            switch kind {
            case .characterDevice, .fifo:
                try? FileDescriptor.open("/proc/self/fd/\(original)", O_WRONLY | O_NONBLOCK | O_NOCTTY)
            default: nil
            }
        mayBlock = kind != .file && opened == nil
        own = opened
    }

    package var raw: CInt {
        switch own {
        case .some(let own): own.raw
        case .none: original
        }
    }

    /// Writes as much of the bytes as there is room for; false where nothing can be written any more.
    package func write(_ bytes: inout ArraySlice<UInt8>) -> Bool {
        while !bytes.isEmpty {
            // Of what may wait no more than poll(2) vouches for.
            let piece = mayBlock ? bytes.prefix(4096) : bytes
            let count = piece.withUnsafeBytes { CLinux.write(raw, $0.baseAddress, $0.count) }
            if count > 0 {
                bytes = bytes.dropFirst(count)
                if mayBlock { return true }
            } else if errno == EAGAIN {
                return true
            } else if errno != EINTR {
                return false
            }
        }
        return true
    }
}
