import CLinux

/// Process-wide settings of signals.
package enum Signals {
    package static func ignore(_ signal: CInt) { linux_ignore_signal(signal) }
}
