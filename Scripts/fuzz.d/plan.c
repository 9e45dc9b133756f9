// Fuzzes the shim: its reader of launch plans, and every step with any arguments and with a kernel that answers anything.
//
// The shim is linked with the calls below in the place of all that it has from the C library, texts excepted (Scripts/fuzz renames
// them): nothing of the machine is asked or changed, and what a call answers is in the input. A call that has no counterpart here
// is an error of the linker.
//
// The first byte says whether the plan stands in the input as it is, or is made of it: a header that is right, and steps whose
// operations, texts, blobs and numbers are the input's choice, so that what lies behind the checks is reached. The second is the
// length of the kernel's answers, which follow.
#include "plan_walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "launch_plan.h"

enum { plan_file = 77, first_descriptor = 100, most_calls = 20000 };

static struct {
    const uint8_t *answers;
    size_t left;
    uint8_t *plan;
    size_t size;
    uint32_t descriptors;
    int calls, opened, plans;
    jmp_buf end;
} walked;


_Noreturn static void end_walk(void) { longjmp(walked.end, 1); }

// The next answer of the kernel's: 0 when there are no more, which all calls take for success.
static uint8_t answer(void) {
    if (++walked.calls > most_calls) end_walk();
    if (walked.left == 0) return 0;
    walked.left--;
    return *walked.answers++;
}

static int fails(void) {
    static const int codes[] = {
        EINTR, EAGAIN, ENOENT, EEXIST, EPERM, EACCES, ENOTDIR, EISDIR, ELOOP, EINVAL, ENOSYS, EBUSY, EBADF, ENOMEM, EROFS,
        ENXIO, ENOSPC, EMFILE, ECONNABORTED, ENAMETOOLONG, ESTALE, ENOTTY};
    uint8_t chosen = answer();
    if (chosen < 0xc0) return 0;
    errno = codes[chosen % (sizeof codes / sizeof *codes)];
    return 1;
}

static int zero(void) { return fails() ? -1 : 0; }
static int descriptor(void) { return fails() ? -1 : first_descriptor + walked.opened++ % 1000; }

// As much of a buffer as the answer says, with bytes of the input in it; the rest is the pattern.
static ssize_t fill(void *buffer, size_t size) {
    if (fails()) return -1;
    size_t count = (size_t)answer() * 97;
    if (count > size) count = size;
    for (size_t i = 0; i < count; i++) ((uint8_t *)buffer)[i] = i < 64 ? answer() : (uint8_t)"root:x:0:0:a:/h:\n"[i % 17];
    return (ssize_t)count;
}

// -- the calls, in the order of the alphabet

_Noreturn void fake__exit(int status) { (void)status; end_walk(); }
int fake_accept4(int fd, void *address, void *length, int flags) { (void)fd, (void)address, (void)length, (void)flags; return descriptor(); }
int fake_access(const char *path, int mode) { (void)mode; return strlen(path) == (size_t)-1 ? -1 : zero(); }
int fake_chdir(const char *path) { return strlen(path) == (size_t)-1 ? -1 : zero(); }
int fake_chroot(const char *path) { return strlen(path) == (size_t)-1 ? -1 : zero(); }
int fake_clock_getcpuclockid(pid_t process, clockid_t *clock) {
    (void)process;
    *clock = CLOCK_MONOTONIC;
    return fails() ? ESRCH : 0;
}
int fake_clock_gettime(int clock, struct timespec *time) {
    (void)clock;
    *time = (struct timespec){.tv_sec = answer(), .tv_nsec = answer()};
    return 0;
}
// A thread that would answer is not there: only the failure of its making is tried.
int fake_clone(int (*function)(void *), void *stack, int flags, void *argument, ...) {
    (void)function, (void)stack, (void)flags, (void)argument;
    errno = EAGAIN;
    return -1;
}
int fake_close(int fd) { (void)fd; return zero(); }
int fake_close_descriptors(unsigned first, unsigned last, int end) { (void)first, (void)last, (void)end; return zero(); }
int fake_dprintf(int fd, const char *format, ...) { (void)fd, (void)format; return zero(); }
int fake_dup2(int from, int to) { (void)from; return fails() ? -1 : to; }
int fake_execve(const char *path, char *const arguments[], char *const environment[]) {
    // What the kernel would read of them.
    size_t read = strlen(path);
    for (; *arguments; arguments++) read += strlen(*arguments);
    for (; *environment; environment++) read += strlen(*environment);
    if (zero() == 0 && read != (size_t)-1) end_walk();
    return -1;
}
int fake_fchdir(int fd) { (void)fd; return zero(); }
int fake_fchmod(int fd, mode_t mode) { (void)fd, (void)mode; return zero(); }
int fake_fchown(int fd, uid_t uid, gid_t gid) { (void)fd, (void)uid, (void)gid; return zero(); }
int fake_fchownat(int fd, const char *path, uid_t uid, gid_t gid, int flags) {
    (void)fd, (void)uid, (void)gid, (void)flags;
    return strlen(path) == (size_t)-1 ? -1 : zero();
}
int fake_fcntl(int fd, int command, ...) { (void)fd; return command == F_DUPFD_CLOEXEC ? descriptor() : zero(); }
ssize_t fake_fgetxattr(int fd, const char *name, void *value, size_t size) {
    (void)fd;
    return strlen(name) == (size_t)-1 ? -1 : fill(value, size);
}
ssize_t fake_flistxattr(int fd, char *names, size_t size) {
    (void)fd;
    ssize_t count = fill(names, size);
    // The kernel's lists end with a NUL.
    if (count > 0) names[count - 1] = 0;
    return count;
}
pid_t fake_fork(void) { return fails() ? -1 : answer() & 1 ? 1000 : 0; }
int fake_fsconfig(int fd, unsigned command, const char *key, const void *value, int extra) {
    (void)fd, (void)command, (void)extra;
    return (key && strlen(key) == (size_t)-1) || (value && strlen(value) == (size_t)-1) ? -1 : zero();
}
int fake_fsetxattr(int fd, const char *name, const void *value, size_t size, int flags) {
    (void)fd, (void)name, (void)value, (void)size, (void)flags;
    return zero();
}
int fake_fsmount(int fd, unsigned flags, unsigned attributes) { (void)fd, (void)flags, (void)attributes; return descriptor(); }
int fake_fsopen(const char *type, unsigned flags) { (void)flags; return strlen(type) == (size_t)-1 ? -1 : descriptor(); }
static int status_of(struct stat *status) {
    static const mode_t kinds[] = {S_IFDIR, S_IFREG, S_IFLNK, S_IFCHR, S_IFIFO, S_IFSOCK, S_IFBLK};
    const dev_t devices[] = {makedev(1, 3), makedev(5, 2), makedev(1, 5), makedev(1, 9), makedev(8, 0)};
    memset(status, 0, sizeof *status);
    if (fails()) return -1;
    uint8_t chosen = answer();
    status->st_mode = kinds[chosen % 7] | 0755;
    status->st_rdev = devices[chosen / 7 % 5];
    status->st_size = (off_t)answer() << (chosen >> 5);
    status->st_nlink = chosen & 1;
    return 0;
}
int fake_fstat(int fd, struct stat *status) {
    if (fd != plan_file) return status_of(status);
    memset(status, 0, sizeof *status);
    status->st_size = (off_t)walked.size;
    return 0;
}
int fake_stat(const char *path, struct stat *status) { return strlen(path) == (size_t)-1 ? -1 : status_of(status); }
int fake_fstatat(int fd, const char *path, struct stat *status, int flags) {
    (void)fd, (void)flags;
    return strlen(path) == (size_t)-1 ? -1 : status_of(status);
}
int fake_fstatfs(int fd, struct statfs *status) {
    static const unsigned int types[] = {0, PROC_SUPER_MAGIC, SYSFS_MAGIC, DEVPTS_SUPER_MAGIC, 0x50495045, TMPFS_MAGIC};
    (void)fd;
    memset(status, 0, sizeof *status);
    if (fails()) return -1;
    status->f_type = types[answer() % 6];
    return 0;
}
int fake_fstatvfs(int fd, struct statvfs *status) {
    (void)fd;
    memset(status, 0, sizeof *status);
    status->f_flag = answer();
    return zero();
}
int fake_ftruncate(int fd, off_t size) { (void)fd, (void)size; return zero(); }
int fake_futimens(int fd, const struct timespec times[2]) { (void)fd, (void)times; return zero(); }
uid_t fake_geteuid(void) { return answer(); }
int fake_getgroups(int size, gid_t *groups) {
    int count = fails() ? -1 : answer();
    for (int i = 0; i < count && i < size; i++) groups[i] = answer();
    return count < size ? count : size;
}
pid_t fake_getpid(void) { return 1; }
pid_t fake_getppid(void) { return answer(); }
int fake_getresuid(uid_t *real, uid_t *effective, uid_t *saved) { *real = *effective = *saved = answer(); return zero(); }
int fake_getresgid(gid_t *real, gid_t *effective, gid_t *saved) { *real = *effective = *saved = answer(); return zero(); }
int fake_getrusage(int who, struct rusage *usage) { (void)who; memset(usage, 0, sizeof *usage); return 0; }
uid_t fake_getuid(void) { return answer(); }
int fake_ioctl(int fd, unsigned long request, ...) { (void)fd; return request == TIOCGPTPEER ? descriptor() : zero(); }
int fake_kill(pid_t pid, int number) { (void)pid, (void)number; return zero(); }
off_t fake_lseek(int fd, off_t at, int whence) {
    (void)fd;
    if (fails()) return -1;
    return whence == SEEK_SET ? at : at + answer();
}
int fake_linkat(int from, const char *name, int to, const char *path, int flags) {
    (void)from, (void)to, (void)flags;
    return strlen(name) + strlen(path) == (size_t)-1 ? -1 : zero();
}
int fake_memfd_create(const char *name, unsigned flags) { (void)name, (void)flags; return descriptor(); }
int fake_mkdir(const char *path, mode_t mode) { (void)mode; return strlen(path) == (size_t)-1 ? -1 : zero(); }
int fake_mkdirat(int fd, const char *path, mode_t mode) { (void)fd, (void)mode; return strlen(path) == (size_t)-1 ? -1 : zero(); }
int fake_mknodat(int fd, const char *path, mode_t mode, dev_t device) {
    (void)fd, (void)mode, (void)device;
    return strlen(path) == (size_t)-1 ? -1 : zero();
}
void *fake_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset) {
    (void)at, (void)size, (void)protection, (void)flags, (void)offset;
    return fd == plan_file ? walked.plan : MAP_FAILED;
}
int fake_mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data) {
    (void)flags;
    size_t read = strlen(target);
    if (source) read += strlen(source);
    if (type) read += strlen(type);
    if (data) read += strlen(data);
    return read == (size_t)-1 ? -1 : zero();
}
int fake_mount_setattr(int fd, const char *path, unsigned flags, void *attributes, size_t size) {
    (void)fd, (void)path, (void)flags, (void)attributes, (void)size;
    return zero();
}
int fake_move_mount(int from, const char *source, int to, const char *target, unsigned flags) {
    (void)from, (void)to, (void)flags;
    return strlen(source) + strlen(target) == (size_t)-1 ? -1 : zero();
}
int fake_munmap(void *at, size_t size) { (void)at, (void)size; return 0; }
int fake_open(const char *path, int flags, ...) { (void)flags; return strlen(path) == (size_t)-1 ? -1 : descriptor(); }
int fake_open_tree(int fd, const char *path, unsigned flags) { (void)fd, (void)flags; return strlen(path) == (size_t)-1 ? -1 : descriptor(); }
int fake_openat(int fd, const char *path, int flags, ...) { (void)fd, (void)flags; return strlen(path) == (size_t)-1 ? -1 : descriptor(); }
int fake_pause(void) { end_walk(); }
int fake_pipe2(int ends[2], int flags) {
    (void)flags;
    ends[0] = first_descriptor, ends[1] = first_descriptor + 1;
    return zero();
}
int fake_poll(struct pollfd *list, nfds_t count, int timeout) {
    (void)timeout;
    for (nfds_t i = 0; i < count; i++) list[i].revents = answer();
    return fails() ? -1 : answer() & 1;
}
int fake_prctl(int option, ...) { (void)option; return zero(); }
ssize_t fake_pread(int fd, void *buffer, size_t size, off_t at) { (void)fd, (void)at; return fill(buffer, size); }
ssize_t fake_read(int fd, void *buffer, size_t size) { (void)fd; return fill(buffer, size); }
ssize_t fake_readlinkat(int fd, const char *path, char *buffer, size_t size) { (void)fd, (void)path; return fill(buffer, size); }
ssize_t fake_recv(int fd, void *buffer, size_t size, int flags) { (void)fd, (void)flags; return fill(buffer, size); }

// The engine's messages: plans as long as plans are asked for, then a go; sometimes with more or fewer descriptors than are meant.
ssize_t fake_recvmsg(int fd, struct msghdr *envelope, int flags) {
    (void)fd, (void)flags;
    if (fails()) return -1;
    struct lp_message message = {.kind = walked.plans++ == 0 ? LP_MESSAGE_PLAN : LP_MESSAGE_GO};
    if (envelope->msg_iov->iov_len < sizeof message) abort();
    memcpy(envelope->msg_iov->iov_base, &message, sizeof message);
    int descriptors[64] = {plan_file};
    size_t count = message.kind == LP_MESSAGE_PLAN ? 1 + walked.descriptors : 0;
    uint8_t chosen = answer();
    if (chosen > 0xf0) count += chosen & 15U;
    for (size_t i = 1; i < count && i < 64; i++) descriptors[i] = first_descriptor + (int)i;
    envelope->msg_flags = 0;
    if (count > 64) count = 64;
    if (count == 0 || envelope->msg_controllen < CMSG_LEN(sizeof(int))) {
        envelope->msg_controllen = 0;
        return sizeof message;
    }
    size_t room = (envelope->msg_controllen - CMSG_LEN(0)) / sizeof(int);
    if (count > room) {
        count = room;
        envelope->msg_flags = MSG_CTRUNC;
    }
    struct cmsghdr *header = envelope->msg_control;
    *header = (struct cmsghdr){.cmsg_len = CMSG_LEN(count * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(header), descriptors, count * sizeof(int));
    envelope->msg_controllen = header->cmsg_len;
    return chosen == 0xf0 ? 3 : (ssize_t)sizeof message;
}
ssize_t fake_send(int fd, const void *bytes, size_t size, int flags) { (void)fd, (void)bytes, (void)flags; return fails() ? -1 : (ssize_t)size; }
ssize_t fake_sendfile(int to, int from, off_t *at, size_t size) {
    (void)to, (void)from;
    if (fails()) return -1;
    size_t count = size > 255 ? size : size & answer();
    *at += (off_t)count;
    return (ssize_t)count;
}
ssize_t fake_sendmsg(int fd, const struct msghdr *envelope, int flags) {
    (void)fd, (void)flags;
    const struct lp_message *message = envelope->msg_iov->iov_base;
    // What is said to the engine has an end.
    if (memchr(message->detail, 0, sizeof message->detail) == NULL) abort();
    return fails() ? -1 : (ssize_t)sizeof *message;
}
int fake_setdomainname(const char *name, size_t size) { return strnlen(name, size) == size ? zero() : -1; }
int fake_sethostname(const char *name, size_t size) { return strnlen(name, size) == size ? zero() : -1; }
int fake_setns(int fd, int kind) { (void)fd, (void)kind; return zero(); }
int fake_setpgid(pid_t pid, pid_t group) { (void)pid, (void)group; return zero(); }
int fake_setresgid(gid_t real, gid_t effective, gid_t saved) { (void)real, (void)effective, (void)saved; return zero(); }
int fake_setresuid(uid_t real, uid_t effective, uid_t saved) { (void)real, (void)effective, (void)saved; return zero(); }
int fake_setrlimit(int resource, const struct rlimit *limit) { (void)resource, (void)limit; return zero(); }
pid_t fake_setsid(void) { return zero(); }
int fake_sigaction(int number, const struct sigaction *action, struct sigaction *before) { (void)number, (void)action, (void)before; return 0; }
int fake_sigprocmask(int how, const sigset_t *set, sigset_t *before) { (void)how, (void)set, (void)before; return zero(); }
int fake_sigwaitinfo(const sigset_t *set, siginfo_t *info) { (void)set, (void)info; return fails() ? -1 : answer() & 1 ? SIGCHLD : SIGTERM; }
int fake_sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *time) { (void)time; return fake_sigwaitinfo(set, info); }
int fake_socket(int family, int type, int protocol) { (void)family, (void)type, (void)protocol; return descriptor(); }
int fake_socketpair(int family, int type, int protocol, int pair[2]) {
    (void)family, (void)type, (void)protocol;
    pair[0] = first_descriptor, pair[1] = first_descriptor + 1;
    return zero();
}
int fake_statx(int fd, const char *path, int flags, unsigned mask, struct statx *status) {
    (void)fd, (void)flags, (void)mask;
    memset(status, 0, sizeof *status);
    status->stx_mnt_id = answer();
    return strlen(path) == (size_t)-1 ? -1 : zero();
}
int fake_symlinkat(const char *text, int fd, const char *path) { (void)fd; return strlen(text) + strlen(path) == (size_t)-1 ? -1 : zero(); }
int fake_tcgetattr(int fd, struct termios *settings) { (void)fd; memset(settings, 0, sizeof *settings); return zero(); }
int fake_tcsetattr(int fd, int when, const struct termios *settings) { (void)fd, (void)when, (void)settings; return zero(); }
int fake_tcsetpgrp(int fd, pid_t group) { (void)fd, (void)group; return zero(); }
mode_t fake_umask(mode_t mask) { (void)mask; return 022; }
int fake_umount2(const char *path, int flags) { (void)flags; return strlen(path) == (size_t)-1 ? -1 : zero(); }
int fake_unlinkat(int fd, const char *path, int flags) { (void)fd, (void)flags; return strlen(path) == (size_t)-1 ? -1 : zero(); }
int fake_unshare(int flags) { (void)flags; return zero(); }
pid_t fake_waitpid(pid_t pid, int *status, int options) {
    (void)options;
    if (status) *status = answer() << 8 | (answer() & 1);
    return fails() ? -1 : pid < 0 ? (answer() & 1 ? 1000 : 0) : pid;
}
ssize_t fake_write(int fd, const void *bytes, size_t size) {
    (void)fd;
    // The kernel reads all of it.
    volatile uint8_t sum = 0;
    for (size_t i = 0; i < size; i++) sum = (uint8_t)(sum + ((const uint8_t *)bytes)[i]);
    return fails() ? -1 : (ssize_t)size;
}

// A folder's entries, whole and with an end as the kernel gives them.
static long entries(char *buffer, size_t size) {
    size_t used = 0;
    for (int count = answer() % 8; count > 0; count--) {
        size_t length = 1 + answer() % 255, whole = (offsetof(struct dirent64, d_name) + length + 1 + 7) & ~(size_t)7;
        if (used + whole > size) break;
        struct dirent64 *entry = (struct dirent64 *)(void *)(buffer + used);
        memset(entry, 0, whole);
        entry->d_off = answer();
        entry->d_reclen = (unsigned short)whole;
        memset(entry->d_name, 'n', length);
        if (length < 4) memset(entry->d_name, '.', length);
        used += whole;
    }
    return (long)used;
}

static void touch(const void *bytes, size_t size) {
    volatile uint8_t sum = 0;
    for (size_t i = 0; i < size; i++) sum = (uint8_t)(sum + ((const uint8_t *)bytes)[i]);
}

long fake_syscall(long number, ...) {
    va_list list;
    va_start(list, number);
    long first = va_arg(list, long), second = va_arg(list, long), third = va_arg(list, long);
    va_end(list);
    switch (number) {
    case SYS_openat2: return strlen((const char *)second) == (size_t)-1 ? -1 : descriptor();
    case SYS_getdents64: return fails() ? -1 : entries((char *)second, (size_t)third);
    case SYS_getcwd: {
        ssize_t count = fill((char *)first, (size_t)second);
        if (count > 0 && answer() & 1) ((char *)first)[0] = '/';
        return count;
    }
    case SYS_clone3: return fails() ? -1 : answer() & 1 ? 0 : 1000;
    case SYS_sched_setaffinity: touch((const void *)third, (size_t)second); return zero();
    case SYS_sched_setattr: {
        uint32_t size;
        memcpy(&size, (const void *)second, sizeof size);
        touch((const void *)second, size);
        return zero();
    }
    case SYS_set_mempolicy: if (second) touch((const void *)second, ((size_t)third - 1) / 8); return zero();
    case SYS_setgroups: if (second) touch((const void *)second, (size_t)first * sizeof(gid_t)); return zero();
    case SYS_seccomp: {
        const struct { unsigned short length; const void *filter; } *program = (const void *)third;
        touch(program->filter, program->length * (size_t)8);
        return zero();
    }
    case SYS_exit: end_walk();
    default: return zero();
    }
}

// -- the plan

// One number of a step: a small one, one of those at which something ends, or any.
static uint64_t number_of(const uint8_t **at, const uint8_t *end) {
    static const uint64_t special[] = {
        31, 32, 33, 512, 1023, 1024, 1025, 65535, 1ULL << 31, UINT32_MAX, INT64_MAX, 1ULL << 63, UINT64_MAX, UINT64_MAX - 1};
    if (*at == end) return 0;
    uint8_t chosen = *(*at)++;
    if (chosen < 0xc0) return chosen & 0x3f;
    if (chosen < 0xf0) return special[chosen % (sizeof special / sizeof *special)];
    uint64_t value = 0;
    for (int i = 0; i < 8 && *at < end; i++) value = value << 8 | *(*at)++;
    return value;
}

// A header that is right, and steps of the input's choice; the rest of the input is what they point at.
static void make_plan(const uint8_t *at, size_t size, int is_monitor) {
    const uint8_t *end = at + size;
    uint32_t steps = size ? *at++ % 24 + 1 : 1, fixed = (uint32_t)(sizeof(struct lp_header) + steps * sizeof(struct lp_step));
    walked.size = fixed + size + 1;
    walked.plan = calloc(1, walked.size);
    if (!walked.plan) abort();
    struct lp_header *header = (struct lp_header *)(void *)walked.plan;
    *header = (struct lp_header){.magic = LP_MAGIC, .version = LP_VERSION, .size = (uint32_t)walked.size, .step_count = steps,
        .steps = sizeof *header, .descriptors = walked.descriptors};
    struct lp_step *step = (struct lp_step *)(void *)(walked.plan + sizeof *header);
    for (uint32_t i = 0; i < steps; i++, step++) {
        step->operation = at < end ? *at++ % (LP_OPERATIONS + 1) : LP_EXEC;
        // A child's plan begins with the flags that it was cloned with, which are 0 here.
        if (i == 0 && !is_monitor) step->operation = LP_CLONE;
        uint8_t shape = at < end ? *at++ : 0;
        for (uint32_t t = 0; t < LP_TEXTS; t++)
            if (shape >> t & 1 && at < end) step->text[t] = fixed + (uint32_t)(*at++ * 4 % (size + 1));
        if (shape & 0x20 && end - at >= 2) {
            step->blob = fixed + (uint32_t)(*at++ * 8 % (size + 1));
            step->blob_size = (uint32_t)(*at++ * 4 % (size + 1));
        }
        if (shape & 0x40) for (uint32_t n = 0; n < LP_NUMBERS; n++) step->number[n] = number_of(&at, end);
        if (i == 0 && !is_monitor) step->number[0] = 0;
    }
    memcpy(walked.plan + fixed, at, (size_t)(end - at));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    uint8_t mode = *data++;
    size_t answers = *data++;
    size -= 2;
    if (answers > size) answers = size;
    memset(&walked, 0, sizeof walked);
    walked.answers = data;
    walked.left = answers;
    walked.descriptors = mode >> 2 & 0x3f;
    data += answers;
    size -= answers;
    if (mode & 1) {
        make_plan(data, size, mode >> 1 & 1);
    } else {
        walked.size = size;
        walked.plan = malloc(size ? size : 1);
        if (!walked.plan) abort();
        if (size) memcpy(walked.plan, data, size);
    }
    if (setjmp(walked.end) == 0) walk_plan(mode >> 1 & 1);
    free(walked.plan);
    return 0;
}
