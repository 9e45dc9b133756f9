// The shim's beginning: as a monitor, which clones the container and either waits for it or has only prepared it; then, in the
// clone, as the container. launch_plan.h draws who says what to whom.

#include "shim.h"

#include <CDescriptors.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static step_function step_clone;

// What a monitor may do before it clones, and what only the child may: a step in the wrong plan is refused.
static step_function *const monitor_steps[LP_OPERATIONS] = {
    [LP_HIDE] = step_hide,
    [LP_ID_MAP] = step_id_map,
    [LP_OPEN_TREE] = step_open_tree,
    [LP_TIME_OFFSETS] = step_time_offsets,
    [LP_AFFINITY] = step_affinity,
    [LP_JOIN] = step_join,
    [LP_CLONE] = step_clone_child,
};

static step_function *const child_steps[LP_OPERATIONS] = {
    [LP_CLONE] = step_clone,
    [LP_NEW_SESSION] = step_new_session,
    [LP_KEYRING] = step_keyring,
    [LP_PROPAGATION] = step_propagation,
    [LP_LAYER] = step_layer,
    [LP_OVERLAY] = step_overlay,
    [LP_ROOT_FOLDER] = step_root_folder,
    [LP_LOOPBACK] = step_loopback,
    [LP_OOM_SCORE] = step_oom_score,
    [LP_BECOME_ROOT] = step_become_root,
    [LP_FILE_SYSTEM] = step_file_system,
    [LP_BIND] = step_bind,
    [LP_ATTACH] = step_attach,
    [LP_REMOUNT] = step_remount,
    [LP_LINK] = step_link,
    [LP_DEVICE] = step_device,
    [LP_OWN_STREAMS] = step_own_streams,
    [LP_CONSOLE] = step_console,
    [LP_BARRIER] = step_barrier,
    [LP_HOOK] = step_hook,
    [LP_ENTER_CGROUP] = step_enter_cgroup,
    [LP_UNSHARE] = step_unshare,
    [LP_SYSCTL] = step_sysctl,
    [LP_MASK] = step_mask,
    [LP_READ_ONLY] = step_read_only,
    [LP_FOLDER] = step_folder,
    [LP_ROOT_READ_ONLY] = step_root_read_only,
    [LP_PIVOT_ROOT] = step_pivot_root,
    [LP_ATTRIBUTE] = step_attribute,
    [LP_PERSONALITY] = step_personality,
    [LP_SCHEDULER] = step_scheduler,
    [LP_IO_PRIORITY] = step_io_priority,
    [LP_AFFINITY] = step_affinity,
    [LP_MEMORY_POLICY] = step_memory_policy,
    [LP_HOSTNAME] = step_hostname,
    [LP_DOMAINNAME] = step_domainname,
    [LP_RLIMIT] = step_rlimit,
    [LP_OWN_PIPES] = step_own_pipes,
    [LP_WORKING_FOLDER] = step_working_folder,
    [LP_NO_NEW_PRIVILEGES] = step_no_new_privileges,
    [LP_SECCOMP] = step_seccomp,
    [LP_BOUNDING_SET] = step_bounding_set,
    [LP_IDS] = step_ids,
    [LP_CAPABILITIES] = step_capabilities,
    [LP_HOME] = step_home,
    [LP_FIND_PROGRAM] = step_find_program,
    [LP_START] = step_start,
    [LP_INIT] = step_init,
    [LP_EXEC] = step_exec,
};

static char detail[sizeof((struct lp_message *)0)->detail];

int fail_with(int code, const char *text) {
    struct text kept = TEXT_IN(detail);
    add(&kept, text);
    errno = code;
    return -1;
}

void forget_failure(void) { detail[0] = 0; }

int close_keeping_errno(int fd, int result) {
    int code = errno;
    close(fd);
    errno = code;
    return result;
}

// A process of a container that sees us could look into us through /proc until the exec, and take descriptors of the host from
// there (CVE-2016-9962). The exec makes the program dumpable again.
void hide(void) {
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) _exit(255);
}

uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec;
}

// Sends one message to the engine, with a descriptor unless that is -1. MSG_NOSIGNAL: the engine may be gone.
int send_message(const struct shim *shim, struct lp_message *message, int descriptor) {
    struct iovec part = {.iov_base = message, .iov_len = sizeof *message};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr envelope = {.msg_iov = &part, .msg_iovlen = 1};
    if (descriptor >= 0) {
        memset(&control, 0, sizeof control);
        envelope.msg_control = &control;
        envelope.msg_controllen = sizeof control;
        struct cmsghdr *header = CMSG_FIRSTHDR(&envelope);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
    }
    ssize_t sent;
    while ((sent = sendmsg(shim->control, &envelope, MSG_NOSIGNAL)) < 0 && errno == EINTR) {}
    return sent < 0 ? -1 : 0;
}

_Noreturn void report_failure(struct shim *shim, int code) {
    // Before there is a plan that was checked it is none of its steps.
    uint32_t steps = shim->steps ? shim->header->step_count : 0;
    struct lp_message message = {
        .kind = LP_MESSAGE_FAILED, .phase = shim->phase, .step = shim->current, .error = code,
        .remaining = shim->current < steps ? steps - shim->current - 1 : shim->steps ? 0 : UINT32_MAX};
    struct text told = TEXT_IN(message.detail);
    add(&told, detail);
    // A report that does not arrive must not look like a program that ended with 255: the monitor says it then.
    if (send_message(shim, &message, -1) != 0 && shim->barrier >= 0) {
        char lost = 0;
        while (send(shim->barrier, &lost, sizeof lost, MSG_NOSIGNAL) < 0 && errno == EINTR) {}
    }
    _exit(255);
}

// Receives one message; false at the end of the file, and where more descriptors come with it than `descriptors` has room for,
// 1 + LP_DESCRIPTORS: part of them would be others than those that the plan means. None of them stays open then.
static bool receive_message(const struct shim *shim, struct lp_message *message, int *descriptors, size_t *count) {
    struct iovec part = {.iov_base = message, .iov_len = sizeof *message};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int) * (1 + LP_DESCRIPTORS))];
    } control;
    // Without what CMSG_SPACE adds for alignment, where the kernel would put one more.
    struct msghdr envelope = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
        .msg_controllen = CMSG_LEN(sizeof(int) * (1 + LP_DESCRIPTORS))};
    ssize_t size;
    while ((size = recvmsg(shim->control, &envelope, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR) {}
    *count = 0;
    struct cmsghdr *header = size < 0 ? NULL : CMSG_FIRSTHDR(&envelope);
    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
        *count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(descriptors, CMSG_DATA(header), *count * sizeof(int));
    }
    if (size == (ssize_t)sizeof *message && !(envelope.msg_flags & (MSG_CTRUNC | MSG_TRUNC))) return true;
    int code = size < 0 ? errno : size == 0 ? ECONNRESET : EPROTO; // at the end of the file the engine is gone
    while (*count > 0) close(descriptors[--*count]);
    errno = code;
    return false;
}

// Waits until the engine says go. False, with errno: it is gone, and so is the reason to go on.
bool wait_for_go(const struct shim *shim) {
    struct lp_message message;
    int descriptors[1 + LP_DESCRIPTORS];
    size_t count;
    if (!receive_message(shim, &message, descriptors, &count)) return false;
    if (message.kind == LP_MESSAGE_GO && count == 0) return true;
    errno = EPROTO;
    return false;
}

// Receives a plan and what comes with it. Without one there is nothing to become: the engine is gone, or has found that it
// cannot go on. Where neither is so it is still waiting for us, and hears why.
static int receive_plan(struct shim *shim) {
    struct lp_message message;
    int descriptors[1 + LP_DESCRIPTORS];
    size_t count;
    if (!receive_message(shim, &message, descriptors, &count)) report_failure(shim, errno);
    if (message.kind != LP_MESSAGE_PLAN || count < 1) report_failure(shim, EPROTO);
    shim->descriptor_count = (uint32_t)count - 1;
    memcpy(shim->descriptors, descriptors + 1, (count - 1) * sizeof(int));
    return descriptors[0];
}

// Walks a plan to its end, which its last step makes: it does not come back.
static _Noreturn void walk(struct shim *shim, step_function *const steps[LP_OPERATIONS]) {
    for (shim->current = 0; shim->current < shim->header->step_count; shim->current++) {
        const struct lp_step *step = &shim->steps[shim->current];
        step_function *function = step->operation < LP_OPERATIONS ? steps[step->operation] : NULL;
        if (!function) report_failure(shim, ENOSYS);
        forget_failure();
        if (function(shim, step) != 0) report_failure(shim, errno);
    }
    report_failure(shim, ENOEXEC); // a plan ends with LP_EXEC, or with LP_CLONE
}

// What was cloned must be what the plan was made for: a missing namespace would be the host's.
static int step_clone(struct shim *shim, const struct lp_step *step) {
    return step->number[0] == shim->clone_flags ? 0 : fail_with(EPROTO, "cloned with other flags");
}

// The container's side of the clone: walks all steps that are the child's, and does not come back.
static _Noreturn void become_container(struct shim *shim) {
    shim->phase = 1;
    shim->current = 0;
    shim->steps = NULL;
    int plan = receive_plan(shim);
    hide(); // its id maps are written now, for which a caller who is not root needs to get at its files
    load_plan(shim, plan);
    if (shim->header->step_count == 0 || shim->steps[0].operation != LP_CLONE) report_failure(shim, EPROTO);
    walk(shim, child_steps);
}

// Clones the child. Returns its pid, as this namespace sees it.
pid_t clone_child(struct shim *shim, uint64_t flags, const char *cgroup_path, int *pidfd) {
    int cgroup = -1;
    // Into the cgroup at birth: moving a process costs the kernel an RCU grace period, many times the whole start.
    if (cgroup_path && (cgroup = open(cgroup_path, O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)
        report_failure(shim, errno);
    // CLONE_PARENT in LP_CLONE's flags: the engine is then the child's parent, or who adopts what the engine leaves behind.
    struct clone_args arguments = {
        .flags = flags | CLONE_PIDFD | (cgroup >= 0 ? (uint64_t)CLONE_INTO_CGROUP : 0),
        .cgroup = cgroup >= 0 ? (__u64)cgroup : 0,
        .pidfd = (uint64_t)(uintptr_t)pidfd,
        .exit_signal = flags & CLONE_PARENT ? 0 : SIGCHLD, // CLONE_PARENT: as the monitor's own
    };
    long pid = syscall(SYS_clone3, &arguments, sizeof arguments);
    if (pid < 0) report_failure(shim, errno);
    if (cgroup >= 0) close(cgroup);
    if (pid == 0) {
        shim->clone_flags = flags & ~(uint64_t)CLONE_PARENT;
        become_container(shim);
    }
    return (pid_t)pid;
}

// The processor time that our child has taken, in ns. It may have ended: its number is its own until we wait for it.
static uint64_t processor_time(pid_t child) {
    clockid_t clock;
    struct timespec time;
    if (clock_getcpuclockid(child, &clock) != 0 || clock_gettime(clock, &time) != 0) return 0;
    return (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec;
}

// The monitor that stays: it waits for the container and says how it ended.
static _Noreturn void monitor(struct shim *shim, uint64_t flags, const char *cgroup) {
    struct lp_message message = {.time = {now()}};
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) report_failure(shim, errno);
    shim->barrier = pair[1];
    int pidfd = -1;
    pid_t child = clone_child(shim, flags, cgroup, &pidfd);
    close(pair[1]);
    // The container's descriptors are the container's: whoever reads its output sees the end when it closes it.
    for (int fd = 0; fd <= 2; fd++) close(fd);

    // The child says when it passed the barrier. The end of the file comes when its last descriptor of the pair closes: at its
    // exec, or at its end.
    uint64_t time;
    ssize_t received;
    bool lost = false;
    while ((received = recv(pair[0], &time, sizeof time, 0)) > 0 || (received < 0 && errno == EINTR))
        if (received == (ssize_t)sizeof time) message.time[1] = time;
        else if (received > 0) lost = true;
    if (lost) report_failure(shim, EIO);
    // Both clocks at one moment: wall and processor time of the program then speak of the same span.
    message.time[2] = now();
    message.used = processor_time(child);
    message.kind = LP_MESSAGE_STARTED;
    // Without that message the engine has no hold of the container: our end is the container's.
    if (send_message(shim, &message, pidfd) != 0) report_failure(shim, errno);

    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    struct rusage usage;
    getrusage(RUSAGE_CHILDREN, &usage);
    message.kind = LP_MESSAGE_EXITED;
    message.status = status;
    message.user_time = (uint64_t)usage.ru_utime.tv_sec * 1000000U + (uint64_t)usage.ru_utime.tv_usec;
    message.system_time = (uint64_t)usage.ru_stime.tv_sec * 1000000U + (uint64_t)usage.ru_stime.tv_usec;
    message.peak_memory = (uint64_t)usage.ru_maxrss * 1024U;
    send_message(shim, &message, -1);
    _exit(0);
}

int main(int count, char **words) {
    static struct shim shim = {.root = -1, .barrier = -1, .mask = -1, .phase = 1, .wanted_umask = 022};
    for (size_t i = 0; i < LP_SLOTS; i++) shim.slots[i] = -1;
    if (count < 3) _exit(255);
    shim.control = atoi(words[1]);
    shim.own = (unsigned int)shim.control;
    // The engine may be killed at any moment. From here on that kills this process too, and with it the container; if it has
    // happened already, the control socket says so.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct pollfd control = {.fd = shim.control, .events = POLLIN};
    if (shim.control < 3 || poll(&control, 1, 0) < 0 || control.revents & (POLLHUP | POLLERR | POLLNVAL)) _exit(255);
    fcntl(shim.control, F_SETFD, FD_CLOEXEC);
    // What somebody up the line left open, a folder of the host perhaps, must not be there for even a moment in which an
    // image's program could reach it (CVE-2024-21626).
    if (close_descriptors(shim.own + 1U, UINT_MAX, DESCRIPTOR_CLOSES) != 0) {
        fail_with(errno, "what the caller has left open cannot be closed");
        report_failure(&shim, errno);
    }
    prctl(PR_SET_NAME, "minirun-shim");
    umask(0); // modes in the plan are meant as they are
    // Whoever is in a namespace that is joined, or in none of its own, may see us from the first clone on. A caller who is not
    // root must reach the child's files once more, to write its id maps: that child hides when it has got its plan.
    if (geteuid() == 0) hide();

    if (!strcmp(words[2], "prepare")) {
        shim.phase = 0;
        load_plan(&shim, receive_plan(&shim));
        walk(&shim, monitor_steps);
    }
    monitor(&shim, strtoull(words[2], NULL, 16), count > 3 ? words[3] : NULL);
}
