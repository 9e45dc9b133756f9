#define _GNU_SOURCE 1
#include "include/spawn_monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int sealed_copy(const char *path) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return -1;
    struct stat status;
    int copy = memfd_create("minirun-shim", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (copy < 0 || fstat(file, &status) != 0) goto failed;
    for (off_t done = 0; done < status.st_size;)
        if (sendfile(copy, file, &done, (size_t)(status.st_size - done)) <= 0) goto failed;
    if (fcntl(copy, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0) goto failed;
    close(file);
    return copy;
failed:;
    int code = errno;
    close(file);
    if (copy >= 0) close(copy);
    errno = code;
    return -1;
}

int linux_open_protected_program(const char *path) {
    int mount = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (mount >= 0) {
        struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID};
        if (mount_setattr(mount, "", AT_EMPTY_PATH, &attributes, sizeof attributes) == 0) return mount;
        int code = errno;
        close(mount);
        errno = code;
    }
    return errno == EPERM || errno == ENOSYS ? sealed_copy(path) : -1;
}

int linux_reopen_read_only(int fd) {
    int mount = open_tree(fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
    if (mount < 0) return -1;
    struct mount_attr attributes = {
        .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC};
    int file = -1;
    if (mount_setattr(mount, "", AT_EMPTY_PATH, &attributes, sizeof attributes) == 0) {
        char path[32];
        snprintf(path, sizeof path, "/proc/self/fd/%d", mount);
        file = open(path, O_RDONLY | O_CLOEXEC);
    }
    int code = errno;
    close(mount);
    errno = code;
    if (file >= 0) lseek(file, lseek(fd, 0, SEEK_CUR), SEEK_SET);
    return file;
}

struct monitor_start {
    int program;
    int descriptors[4];
    int preserved;
    char *const *words;
    int error;
};

// The child. It shares the engine's memory, which is stopped: system calls only, and nothing that glibc keeps state for.
static int start_monitor(void *argument) {
    struct monitor_start *start = argument;
    // First out of the way of what is to be there, then into place; each of the loops may close what the other needs otherwise.
    int free = 4 + start->preserved;
    int program = fcntl(start->program, F_DUPFD_CLOEXEC, free);
    int high[4];
    for (int i = 0; i < 4; i++) high[i] = fcntl(start->descriptors[i], F_DUPFD_CLOEXEC, free);
    for (int i = 0; i < 4; i++)
        if (program < 0 || high[i] < 0 || dup2(high[i], i < 3 ? i : 3 + start->preserved) < 0) goto failed;
    for (int fd = 3; fd < 3 + start->preserved; fd++)
        if (fcntl(fd, F_SETFD, 0) != 0) goto failed;
    // Signal handlers do not survive the exec, ignored signals and the mask do.
    struct sigaction standard = {.sa_handler = SIG_DFL};
    for (int number = 1; number < NSIG; number++) sigaction(number, &standard, NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    char *environment[] = {NULL};
    syscall(SYS_execveat, program, "", start->words, environment, AT_EMPTY_PATH);
failed:
    start->error = errno ? errno : EBADF;
    _exit(255);
}

pid_t linux_spawn_monitor(
    int program, const int stdio[3], int control, int preserved, int outer, char *const words[], int *pidfd) {
    enum { stack_size = 64 << 10 };
    char *stack = mmap(NULL, stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED) return -1;
    struct monitor_start start = {
        .program = program, .descriptors = {stdio[0], stdio[1], stdio[2], control}, .preserved = preserved, .words = words};
    // The parent's handlers must not run in the child, which shares its memory.
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    int flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD | (outer ? CLONE_NEWPID : 0);
    pid_t pid = clone(start_monitor, stack + stack_size, flags, &start, pidfd);
    int code = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    munmap(stack, stack_size);
    if (pid < 0) {
        errno = code;
        return -1;
    }
    if (start.error) {
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {}
        close(*pidfd);
        errno = start.error;
        return -1;
    }
    return pid;
}

ssize_t linux_send_descriptors(int socket, const void *message, size_t size, const int *descriptors, size_t count) {
    enum { most = 33 }; // 1 + LP_DESCRIPTORS
    struct iovec part = {.iov_base = (void *)(uintptr_t)message, .iov_len = size};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int) * most)];
    } control = {.space = {0}};
    if (count == 0 || count > most) {
        errno = EINVAL;
        return -1;
    }
    struct msghdr envelope = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_SPACE(sizeof(int) * count)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&envelope);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * count);
    memcpy(CMSG_DATA(header), descriptors, sizeof(int) * count);
    return sendmsg(socket, &envelope, MSG_NOSIGNAL);
}

ssize_t linux_receive(int socket, void *message, size_t size, int *descriptor) {
    struct iovec part = {.iov_base = message, .iov_len = size};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    // Without what CMSG_SPACE adds for alignment, where the kernel would put a second descriptor.
    struct msghdr envelope = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_LEN(sizeof(int))};
    ssize_t count;
    // ECONNRESET comes once, before what is still in the queue, if the other side ended without having read all of ours: a
    // step that failed before LP_MESSAGE_GO was read. Its report is what counts.
    do count = recvmsg(socket, &envelope, MSG_CMSG_CLOEXEC);
    while (count < 0 && (errno == EINTR || errno == ECONNRESET));
    *descriptor = -1;
    if (count > 0) {
        struct cmsghdr *header = CMSG_FIRSTHDR(&envelope);
        if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
            memcpy(descriptor, CMSG_DATA(header), sizeof *descriptor);
    }
    if (count > 0 && envelope.msg_flags & (MSG_CTRUNC | MSG_TRUNC)) {
        if (*descriptor >= 0) close(*descriptor);
        *descriptor = -1;
        errno = EMSGSIZE;
        return -1;
    }
    return count;
}
