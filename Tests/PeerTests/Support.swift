import CLinux
import LinuxSystem
import TestSupport
import Testing

/// Asks again until it is so; false after `milliseconds`. Slower than the one of `TestSupport`, in whose place it is here:
/// to ask an engine takes a client's start.
func eventually(_ milliseconds: Int = 10_000, _ condition: () throws -> Bool) rethrows -> Bool {
    let deadline = Clock.monotonic + UInt64(milliseconds) * 1_000_000
    while true {
        if try condition() { return true }
        if Clock.monotonic > deadline { return false }
        usleep(20_000)
    }
}

extension Session {
    /// Types as a person does: the clients of engines look for keys that come alone.
    func typeKeys(_ keys: String) throws {
        for key in keys {
            try type(String(key))
            usleep(50_000)
        }
    }
}

/// Asks a shell for its terminal's size until it is the new one: the change takes its way through the engine.
func resized(_ session: Session, to size: String) throws -> Bool {
    try eventually {
        session.forget()
        try session.type("stty size; echo as''ked\n")
        session.expect("asked")
        return session.seen.contains(size)
    }
}
