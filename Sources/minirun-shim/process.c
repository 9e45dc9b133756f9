// The process itself: limits, ids, capabilities, filter, exec. The order of these steps is the plan's; it is decided, with its
// reasons, in Swift (LaunchPlan+Process).

#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
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
    if (setsid() < 0) return -1;
    // And a session keyring of its own: the caller's keys are not the container's.
    if (syscall(SYS_keyctl, 1 /* KEYCTL_JOIN_SESSION_KEYRING */, NULL) < 0 && errno != ENOSYS) return -1;
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
    char text[16];
    int length = snprintf(text, sizeof text, "%d", (int)(int64_t)step->number[0]);
    int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (file < 0) return -1;
    ssize_t count = write(file, text, (size_t)length);
    int code = errno;
    close(file);
    errno = code;
    return count < 0 ? -1 : 0;
}

int step_barrier(struct shim *shim, const struct lp_step *step) {
    (void)step;
    struct lp_message go;
    ssize_t count;
    while ((count = recv(LP_CONTROL_FD, &go, sizeof go, 0)) < 0 && errno == EINTR) {}
    // The engine is gone: so is the reason to go on.
    if (count != (ssize_t)sizeof go || go.kind != LP_MESSAGE_GO) _exit(255);
    uint64_t time = now();
    return send(shim->barrier, &time, sizeof time, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

// "0" into `tasks` is the one way into a cgroup v1 that does not wait for an RCU grace period: 0.04 instead of 12 ms.
int step_enter_cgroup(struct shim *shim, const struct lp_step *step) {
    int file = open(text_of(shim, step, 0), O_WRONLY | O_CLOEXEC);
    if (file < 0) return -1;
    ssize_t count = write(file, "0", 1);
    int code = errno;
    close(file);
    errno = code;
    return count < 0 ? -1 : 0;
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

int step_working_folder(struct shim *shim, const struct lp_step *step) {
    const char *path = text_of(shim, step, 0);
    // Through openat2 like every path that an image chose: no magic link of procfs is followed, so that neither the folder nor
    // one that is created on the way to it lies outside of the container (CVE-2024-21626).
    shim->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (shim->root < 0) return -1;
    int folder = open_target(shim, path, true);
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

int step_no_new_privileges(struct shim *shim, const struct lp_step *step) {
    (void)shim, (void)step;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

int step_seccomp(struct shim *shim, const struct lp_step *step) {
    struct sock_fprog program = {
        .len = (unsigned short)(step->blob_size / sizeof(struct sock_filter)),
        .filter = (struct sock_filter *)(uintptr_t)(shim->plan + step->blob),
    };
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, (unsigned int)step->number[0], &program);
}

int step_bounding_set(struct shim *shim, const struct lp_step *step) {
    (void)shim;
    for (int capability = 0; capability < 64; capability++) {
        if (step->number[0] >> capability & 1) continue;
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) {
            if (errno == EINVAL) return 0; // past the last one that this kernel knows
            return -1;
        }
    }
    return 0;
}

int step_ids(struct shim *shim, const struct lp_step *step) {
    // Capabilities survive the change of user until LP_CAPABILITIES sets them as they shall be.
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) return -1;
    const gid_t *groups = (const gid_t *)(const void *)(shim->plan + step->blob);
    // setgroups also when there are none: the engine's own groups must not stay (CVE-2022-36109 is the wider story).
    if (syscall(SYS_setgroups, step->blob_size / sizeof(gid_t), step->blob_size ? groups : NULL) != 0) return -1;
    gid_t gid = (gid_t)step->number[1];
    uid_t uid = (uid_t)step->number[0];
    if (setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0) return -1;
    if (prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) != 0) return -1;
    shim->wanted_umask = step->number[2] == LP_KEEP_UMASK ? 022 : (uint32_t)step->number[2];
    return 0;
}

int step_capabilities(struct shim *shim, const struct lp_step *step) {
    (void)shim;
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    for (int half = 0; half < 2; half++) {
        data[half].effective = (uint32_t)(step->number[0] >> (32 * half));
        data[half].permitted = (uint32_t)(step->number[1] >> (32 * half));
        data[half].inheritable = (uint32_t)(step->number[2] >> (32 * half));
    }
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) return -1;
    if (syscall(SYS_capset, &header, data) != 0) return -1;
    for (int capability = 0; capability < 64; capability++)
        if (step->number[3] >> capability & 1 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) != 0) return -1;
    return 0;
}

// The texts of a list as an array in `space`, NULL at its end; NULL where there are too many.
static char **list_of(const struct shim *shim, uint32_t offset, char **space, size_t capacity) {
    uint32_t count;
    memcpy(&count, shim->plan + offset, sizeof count);
    if (count >= capacity) return NULL;
    char *at = (char *)(uintptr_t)(shim->plan + offset + sizeof count);
    for (uint32_t i = 0; i < count; i++) {
        space[i] = at;
        at += strlen(at) + 1;
    }
    space[count] = NULL;
    return space;
}

static char *arguments[65536], *environment[65536];

static int try_exec(const char *path) {
    execve(path, arguments, environment);
    if (errno == EACCES) {
        struct stat status;
        int code = errno;
        errno = stat(path, &status) == 0 && S_ISDIR(status.st_mode) ? EISDIR : code;
    }
    return -1;
}

int step_exec(struct shim *shim, const struct lp_step *step) {
    if (!list_of(shim, step->text[0], arguments, 65536) || !list_of(shim, step->text[1], environment, 65536) || !arguments[0])
        return fail_with(E2BIG, "");
    umask(shim->wanted_umask);
    // As a program expects to find them: nothing blocked, nothing ignored.
    struct sigaction standard = {.sa_handler = SIG_DFL};
    for (int number = 1; number < NSIG; number++) sigaction(number, &standard, NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    // Everything from 3 on closes at the exec, whoever opened it (CVE-2024-21626).
    syscall(SYS_close_range, 3U, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */);

    if (strchr(arguments[0], '/')) return try_exec(arguments[0]);
    const char *path = NULL;
    for (char **entry = environment; *entry; entry++)
        if (!strncmp(*entry, "PATH=", 5)) path = *entry + 5;
    int seen = ENOENT;
    while (path && *path) {
        char candidate[4096];
        size_t length = strcspn(path, ":");
        if (snprintf(candidate, sizeof candidate, "%.*s/%s", (int)length, path, arguments[0]) < (int)sizeof candidate && length) {
            // An exec that finds nothing takes ten times as long as a look.
            if (access(candidate, F_OK) == 0) try_exec(candidate);
            if (errno != ENOENT && errno != ENOTDIR && errno != EISDIR) seen = errno;
        }
        path += length + (path[length] == ':');
    }
    errno = seen;
    return -1;
}
