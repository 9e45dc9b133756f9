// Closing what nobody has handed on: one way for the engine and for the shim.
#ifndef MINIRUN_CDESCRIPTORS_H
#define MINIRUN_CDESCRIPTORS_H

/// What becomes of a descriptor.
enum descriptor_end {
    DESCRIPTOR_CLOSES = 0,         // at once
    DESCRIPTOR_CLOSES_AT_EXEC = 1, // at the next exec (FD_CLOEXEC)
};

/// Closes every descriptor from `first` to `last`, at once or at the next exec. -1 with errno where one of them may have
/// stayed open: a caller who goes on all the same hands a folder of the host to whoever comes next (CVE-2024-21626).
///
/// By close_range(2); where that is refused (a seccomp filter around us, EPERM or ENOSYS) by the list in /proc/self/fd, if
/// that is the kernel's; and where there is none by trying each number that the process may have.
int close_descriptors(unsigned int first, unsigned int last, enum descriptor_end end);

#endif
