import CLinux

/// This machine's processors.
package enum Processors {
    /// How many the kernel has set up, running or not: `cpuN` exists in sysfs for each.
    package static var configured: Int { max(1, sysconf(linux_sc_processors_configured)) }
}
