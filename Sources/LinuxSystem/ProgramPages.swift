import CLinux

/// The pages of the program itself that are in memory: some 16 MiB once a pull is under way, most of which only its start needed,
/// or nobody, since the kernel maps what lies around a page, too.
package enum ProgramPages {
    /// Lets all of its code go (madvise(2), MADV_DONTNEED), and memory that was given back (malloc_trim(3)). Code that is needed again
    /// comes back from the page cache, some microseconds for 64 KiB.
    package static func release() { linux_release_program_pages() }
}
