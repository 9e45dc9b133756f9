import CLinux

/// The kernel's clocks.
package enum Clock {
    /// CLOCK_MONOTONIC in nanoseconds: for durations within one process or one boot.
    package static var monotonic: UInt64 { nanoseconds(CLOCK_MONOTONIC) }

    /// CLOCK_REALTIME in nanoseconds since 1970-01-01T00:00:00Z.
    package static var realtime: UInt64 { nanoseconds(CLOCK_REALTIME) }

    /// The moment that many milliseconds from now; the end of time where there is no number for it.
    package static func deadline(in milliseconds: Int) -> UInt64 {
        let (span, tooLong) = UInt64(max(0, milliseconds)).multipliedReportingOverflow(by: 1_000_000)
        let (moment, tooLate) = monotonic.addingReportingOverflow(span)
        return tooLong || tooLate ? .max : moment
    }

    /// What poll(2) is to wait until a moment of `monotonic`, 0 from then on. It may take less than all of the time.
    package static func milliseconds(until deadline: UInt64) -> Int32 {
        let now = monotonic
        return now < deadline ? Int32(clamping: (deadline - now) / 1_000_000 + 1) : 0
    }

    private static func nanoseconds(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
