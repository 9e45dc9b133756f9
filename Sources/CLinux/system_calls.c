#define _GNU_SOURCE 1
#include "include/CLinux.h"

#include <linux/fs.h>
#include <linux/fsverity.h>
#include <linux/loop.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

int linux_errno(void) { return errno; }
void linux_set_errno(int code) { errno = code; }
void linux_error_text(int code, char *text, size_t size) { 
    char buffer[128];
    snprintf(text, size, "%s", strerror_r(code, buffer, sizeof buffer));
 }

int linux_openat2(int dirfd, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve) {
    struct open_how how = {.flags = flags | O_CLOEXEC, .mode = mode, .resolve = resolve};
    return (int)syscall(SYS_openat2, dirfd, path, &how, sizeof how);
}

int linux_openat(int dirfd, const char *path, int flags, mode_t mode) { return openat(dirfd, path, flags, mode); }

int linux_duplicate(int fd, int lowest) { return fcntl(fd, F_DUPFD_CLOEXEC, lowest); }
int linux_fcntl(int fd, int command, int argument) { return fcntl(fd, command, argument); }

int linux_pipe(int *reading, int *writing) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return -1;
    *reading = ends[0];
    *writing = ends[1];
    return 0;
}

int linux_socket_pair(int *one, int *other) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return -1;
    *one = ends[0];
    *other = ends[1];
    return 0;
}

const int linux_o_path = O_PATH;
const int linux_sc_processors_configured = _SC_NPROCESSORS_CONF;

void linux_ignore_signal(int number) { signal(number, SIG_IGN); }

char **linux_environment(void) { return environ; }

/* The C library's functions change every thread of the process; the kernel's calls only this one. */
static int take_ids(uid_t uid, gid_t gid, const gid_t *groups, size_t group_count)
{
    if (syscall(SYS_setgroups, group_count, groups) < 0) return -1;
    if (syscall(SYS_setresgid, gid, gid, gid) < 0) return -1;
    /* The saved uid stays root's, which is the way back. */
    return (int)syscall(SYS_setresuid, uid, uid, 0);
}

int linux_spawn_as(uid_t uid, gid_t gid, const gid_t *groups, size_t group_count, pid_t *pid, const char *file,
                   const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes, char *const argv[],
                   char *const environment[])
{
    if (geteuid() != 0) return EPERM;
    uid_t uids[3];
    gid_t gids[3];
    int count = getgroups(0, NULL);
    if (count < 0 || getresuid(&uids[0], &uids[1], &uids[2]) < 0 || getresgid(&gids[0], &gids[1], &gids[2]) < 0)
        return errno;
    gid_t *own = calloc((size_t)count + 1, sizeof *own);
    if (own == NULL) return ENOMEM;
    count = getgroups(count, own);
    int code = count < 0 ? errno : 0;
    if (code == 0) {
        if (take_ids(uid, gid, groups, group_count) < 0)
            code = errno;
        else
            code = posix_spawnp(pid, file, actions, attributes, argv, environment);
        /* A thread that went on as somebody else would be a surprise for all that comes after. */
        if (syscall(SYS_setresuid, uids[0], uids[1], uids[2]) < 0 ||
            syscall(SYS_setresgid, gids[0], gids[1], gids[2]) < 0 ||
            syscall(SYS_setgroups, (size_t)count, own) < 0)
            abort();
    }
    free(own);
    return code;
}
const int linux_spawn_setsid = POSIX_SPAWN_SETSID;

unsigned int linux_major(dev_t device) { return major(device); }
unsigned int linux_minor(dev_t device) { return minor(device); }
dev_t linux_makedev(unsigned int major, unsigned int minor) { return makedev(major, minor); }

int linux_pidfd_send_signal(int pidfd, int signal) {
    return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}

int linux_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

int linux_memfd_create(const char *name, unsigned int flags) { return memfd_create(name, flags | MFD_CLOEXEC); }

static void descriptor_path(char out[32], int fd) { snprintf(out, 32, "/proc/self/fd/%d", fd); }

int linux_link_descriptor(int fd, int dirfd, const char *name) {
    char path[32];
    descriptor_path(path, fd);
    return linkat(AT_FDCWD, path, dirfd, name, AT_SYMLINK_FOLLOW);
}

int linux_get_window_size(int fd, struct winsize *size) { return ioctl(fd, TIOCGWINSZ, size); }
int linux_set_window_size(int fd, const struct winsize *size) { return ioctl(fd, TIOCSWINSZ, size); }
int linux_open_terminal_peer(int master) { return ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC); }
int linux_clone_file(int source, int destination) { return ioctl(destination, FICLONE, source); }

int linux_enable_verity(int fd) {
    struct fsverity_enable_arg request = {.version = 1, .hash_algorithm = FS_VERITY_HASH_ALG_SHA256, .block_size = 4096};
    return ioctl(fd, FS_IOC_ENABLE_VERITY, &request);
}

int linux_measure_verity(int fd, uint8_t digest[32]) {
    union {
        struct fsverity_digest header;
        uint8_t bytes[sizeof(struct fsverity_digest) + 32];
    } answer = {.header.digest_size = 32};
    if (ioctl(fd, FS_IOC_MEASURE_VERITY, &answer) != 0) return -1;
    memcpy(digest, answer.bytes + sizeof(struct fsverity_digest), 32);
    return 0;
}

int linux_free_loop(int control) { return ioctl(control, LOOP_CTL_GET_FREE); }

int linux_configure_loop(int device, int file) {
    struct loop_config config = {
        .fd = (unsigned)file,
        .info.lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO,
    };
    if (ioctl(device, LOOP_CONFIGURE, &config) == 0) return 0;
    if (errno != EINVAL) return -1;
    config.info.lo_flags &= ~(unsigned)LO_FLAGS_DIRECT_IO;
    return ioctl(device, LOOP_CONFIGURE, &config);
}

int linux_exit_code(int wait_status) { return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : -1; }
int linux_term_signal(int wait_status) { return WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0; }

int linux_namespace_type(int fd) { return ioctl(fd, _IO(0xb7, 0x3) /* NS_GET_NSTYPE */); }

int linux_raise_hard_limit(pid_t pid, int resource, uint64_t hard) {
    struct rlimit limit;
    if (prlimit(pid, (__rlimit_resource_t)resource, NULL, &limit) != 0) return -1;
    if (limit.rlim_max >= hard) return 0;
    limit.rlim_max = hard;
    return prlimit(pid, (__rlimit_resource_t)resource, &limit, NULL);
}

int linux_become_subreaper(void) { return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); }

// The child, in a copy of our memory: a process of that namespace may see it, and must find nothing that it could change, and
// no way in (not dumpable, it belongs to the namespace that we were executed in).
static _Noreturn void tell_maps(int user_namespace, int pipe) {
    static const char *const files[2] = {"/proc/self/uid_map", "/proc/self/gid_map"};
    static char text[4096];
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || setns(user_namespace, CLONE_NEWUSER) != 0) goto failed;
    for (int i = 0; i < 2; i++) {
        int file = open(files[i], O_RDONLY | O_CLOEXEC);
        ssize_t count;
        if (file < 0) goto failed;
        while ((count = read(file, text, sizeof text)) > 0)
            if (write(pipe, text, (size_t)count) != count) goto failed;
        if (count < 0 || write(pipe, "", 1) != 1) goto failed;
        close(file);
    }
    _exit(0);
failed:
    _exit(errno ? errno : EIO);
}

// Takes what comes up to the NUL; false where it is too long or does not come.
static int take_map(int pipe, char *text, size_t size) {
    for (size_t used = 0; used < size; used++) {
        ssize_t count;
        while ((count = read(pipe, text + used, 1)) < 0 && errno == EINTR) {}
        if (count != 1) return 0;
        if (!text[used]) return 1;
    }
    return 0;
}

int linux_read_id_maps(int user_namespace, char *users, char *groups, size_t size) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return -1;
    // No handler of ours may run in the child.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = _Fork();
    if (pid == 0) tell_maps(user_namespace, ends[1]);
    int code = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(ends[1]);
    int taken = pid > 0 && take_map(ends[0], users, size) && take_map(ends[0], groups, size);
    close(ends[0]);
    int status = 0;
    if (pid > 0) {
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
        code = WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : EIO;
    }
    errno = code;
    return taken && status == 0 ? 0 : -1;
}

// The linker's own; absent in a program that was linked otherwise.
extern const char __executable_start[] __attribute__((weak)), etext[] __attribute__((weak));

void linux_release_program_pages(void) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t start = (uintptr_t)__executable_start, end = (uintptr_t)etext / page * page;
    if (start != 0 && start % page == 0 && start < end) madvise((void *)start, end - start, MADV_DONTNEED);
    malloc_trim(0);
}
