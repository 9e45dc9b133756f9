// The process itself: session, limits, scheduling, cgroup, working folder. The order of these steps is the plan's; it is decided, with its
// reasons, in Swift (LaunchPlan+Process).

#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

int step_new_session(struct shim *shim, const struct lp_step *step) {
    (void)shim, (void)step;
    return setsid() < 0 ? -1 : 0;
}

int step_keyring(struct shim *shim, const struct lp_step *step) {
    (void)shim, (void)step;
    // EPERM: a seccomp filter around us (docker's) forbids it, and with it the keys.
    if (syscall(SYS_keyctl, 1 /* KEYCTL_JOIN_SESSION_KEYRING */, NULL) < 0 && errno != ENOSYS && errno != EPERM) return -1;
    return 0;
}

int step_loopback(struct shim *shim, const struct lp_step *step) {
    (void)shim, (void)step;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int result = ioctl(fd, SIOCSIFFLAGS, &request);
    int code = errno;
    close(fd);
    errno = code;
    return result;
}

int step_oom_score(struct shim *shim, const struct lp_step *step) {
    (void)shim;
    char space[24];
    struct text text = TEXT_IN(space);
    add_format(&text, "%lld", (long long)(int64_t)step->number[0]);
    int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (file < 0) return -1;
    ssize_t count = write(file, space, text.length);
    int code = errno;
    close(file);
    errno = code;
    return count < 0 ? -1 : 0;
}

int step_barrier(struct shim *shim, const struct lp_step *step) {
    struct lp_message message = {.kind = LP_MESSAGE_WAITING};
    if (step->number[0] && send_message(shim, &message, -1) != 0) return -1;
    if (!wait_for_go(shim)) return fail_with(errno, "the engine's go did not come");
    if (shim->barrier < 0) return 0;
    uint64_t time = now();
    return send(shim->barrier, &time, sizeof time, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

// "0" into `tasks` is the one way into a cgroup v1 that does not wait for an RCU grace period: 0.04 instead of 12 ms.
int step_enter_cgroup(struct shim *shim, const struct lp_step *step) {
    uint64_t index = step->number[0];
    if (index > shim->descriptor_count) return fail_with(EBADF, "");
    int file = index ? shim->descriptors[index - 1] : open(text_of(shim, step, 0), O_WRONLY | O_CLOEXEC);
    if (file < 0) return -1;
    return close_keeping_errno(file, write(file, "0", 1) < 0 ? -1 : 0);
}

int step_unshare(struct shim *shim, const struct lp_step *step) {
    (void)shim;
    return unshare((int)step->number[0]);
}

int step_hostname(struct shim *shim, const struct lp_step *step) {
    const char *name = text_of(shim, step, 0);
    return sethostname(name, strlen(name));
}

int step_domainname(struct shim *shim, const struct lp_step *step) {
    const char *name = text_of(shim, step, 0);
    return setdomainname(name, strlen(name));
}

int step_rlimit(struct shim *shim, const struct lp_step *step) {
    (void)shim;
    struct rlimit limit = {.rlim_cur = step->number[1], .rlim_max = step->number[2]};
    return setrlimit((__rlimit_resource_t)step->number[0], &limit);
}

int step_own_pipes(struct shim *shim, const struct lp_step *step) {
    (void)shim;
    for (int fd = 0; fd <= 2; fd++) {
        struct statfs status;
        // Only pipes: a file, a device or a FIFO in a file system belongs to somebody, and chowning it would give it to the
        // container's user.
        if (fstatfs(fd, &status) != 0 || status.f_type != PIPEFS_MAGIC) continue;
        if (fchown(fd, (uid_t)step->number[0], (gid_t)step->number[1]) == 0) continue;
        if (errno != EINVAL && errno != EPERM && errno != EROFS) return -1;
    }
    return 0;
}

// Makes a folder of the container the working folder. Through openat2 like every path that an image chose: no magic link of
// procfs is followed, so that neither the folder nor one that is created on the way to it lies outside of the container
// (CVE-2024-21626).
int enter_folder(struct shim *shim, const char *path, bool create) {
    shim->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (shim->root < 0) return -1;
    int folder = create ? open_target(shim, path, true) : open_in_root(shim, path, O_PATH | O_DIRECTORY);
    int code = errno;
    close(shim->root);
    shim->root = -1;
    if (folder < 0) return fail_with(code, code == ELOOP ? "it leads through a link of procfs" : "");
    int result = fchdir(folder);
    code = errno;
    close(folder);
    if (result != 0) return fail_with(code, "");
    char buffer[4096];
    if (syscall(SYS_getcwd, buffer, sizeof buffer) < 0 || buffer[0] != '/') return fail_with(ENOENT, "outside of the container");
    return 0;
}

int step_working_folder(struct shim *shim, const struct lp_step *step) {
    if (enter_folder(shim, text_of(shim, step, 0), true) == 0) return 0;
    if (errno != EACCES) return -1;
    // Root here may have fewer rights than the user: LP_IDS tries again.
    forget_failure();
    shim->late_folder = true;
    shim->folder = step;
    return 0;
}

int step_no_new_privileges(struct shim *shim, const struct lp_step *step) {
    (void)shim, (void)step;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

int step_personality(struct shim *shim, const struct lp_step *step) {
    (void)shim;
    return syscall(SYS_personality, (unsigned long)step->number[0]) < 0 ? -1 : 0;
}

int step_scheduler(struct shim *shim, const struct lp_step *step) {
    return (int)syscall(SYS_sched_setattr, 0, shim->plan + step->blob, 0);
}

int step_io_priority(struct shim *shim, const struct lp_step *step) {
    (void)shim;
    return (int)syscall(SYS_ioprio_set, 1 /* IOPRIO_WHO_PROCESS */, 0, (int)step->number[0]);
}

int step_affinity(struct shim *shim, const struct lp_step *step) {
    return syscall(SYS_sched_setaffinity, 0, step->blob_size, shim->plan + step->blob) < 0 ? -1 : 0;
}

int step_memory_policy(struct shim *shim, const struct lp_step *step) {
    return (int)syscall(
        SYS_set_mempolicy, (int)step->number[0], step->blob_size ? shim->plan + step->blob : NULL,
        (unsigned long)step->blob_size * 8 + (step->blob_size ? 1 : 0));
}
