import CLinux

/// The kernel's clocks.
package enum Clock {
    /// CLOCK_MONOTONIC in nanoseconds: for durations within one process or one boot.
    package static var monotonic: UInt64 { nanoseconds(CLOCK_MONOTONIC) }

    /// CLOCK_REALTIME in nanoseconds since 1970-01-01T00:00:00Z.
    package static var realtime: UInt64 { nanoseconds(CLOCK_REALTIME) }

    private static func nanoseconds(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
