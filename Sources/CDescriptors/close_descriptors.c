#include "include/CDescriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

// Numbers that are tried without a list: the kernel's own limit unless somebody raised fs.nr_open, and the most that still
// ends within a second or two.
enum { usual_limit = 1 << 20, highest_limit = 1 << 24 };

// Whatever close(2) or fcntl(2) say of it, the descriptor is as it should be afterwards, or it is not.
static bool end_one(int fd, enum descriptor_end end) {
    if (end == DESCRIPTOR_CLOSES) close(fd);
    else fcntl(fd, F_SETFD, FD_CLOEXEC);
    int flags = fcntl(fd, F_GETFD);
    if (flags < 0) return errno == EBADF;
    if (end == DESCRIPTOR_CLOSES_AT_EXEC && flags & FD_CLOEXEC) return true;
    errno = EPERM;
    return false;
}

// The root of a procfs and nothing that only looks like it: in a container /proc may be what an image has made. -1 without one.
static int open_list(void) {
    int proc = open("/proc", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), list = -1;
    struct statfs file_system;
    struct stat status;
    struct open_how how = {
        .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS,
    };
    if (proc < 0) return -1;
    if (fstatfs(proc, &file_system) == 0 && file_system.f_type == PROC_SUPER_MAGIC && fstat(proc, &status) == 0 &&
        status.st_ino == 1)
        list = (int)syscall(SYS_openat2, proc, "self/fd", &how, sizeof how);
    close(proc);
    return list;
}

struct directory_entry {
    uint64_t inode;
    int64_t offset;
    unsigned short size;
    unsigned char type;
    char name[];
};

static bool end_listed(int list, unsigned int first, unsigned int last, enum descriptor_end end) {
    _Alignas(8) char block[4096];
    for (;;) {
        long count = syscall(SYS_getdents64, list, block, sizeof block);
        if (count <= 0) return count == 0;
        for (long at = 0; at < count;) {
            const struct directory_entry *entry = (const struct directory_entry *)(const void *)(block + at);
            at += entry->size;
            if (*entry->name < '0' || *entry->name > '9') continue;
            unsigned long number = strtoul(entry->name, NULL, 10);
            if (number < first || number > last || (int)number == list) continue;
            if (!end_one((int)number, end)) return false;
        }
    }
}

static bool end_each(unsigned int first, unsigned int last, enum descriptor_end end) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return false;
    if (limit.rlim_max > highest_limit && last > highest_limit) {
        errno = EMFILE;
        return false;
    }
    // A limit that was lowered leaves open what lies above it.
    unsigned int top = limit.rlim_max > usual_limit ? (unsigned int)limit.rlim_max : usual_limit;
    if (last > top) last = top;
    for (unsigned int number = first; number <= last; number++)
        if (!end_one((int)number, end)) return false;
    return true;
}

int close_descriptors(unsigned int first, unsigned int last, enum descriptor_end end) {
    if (first > last) return 0;
    unsigned int flags = end == DESCRIPTOR_CLOSES_AT_EXEC ? 4U /* CLOSE_RANGE_CLOEXEC */ : 0U;
    if (syscall(SYS_close_range, first, last, flags) == 0) return 0;
    int list = open_list();
    if (list >= 0) {
        bool done = end_listed(list, first, last, end);
        close(list);
        if (done) return 0;
    }
    return end_each(first, last, end) ? 0 : -1;
}
