// Prints what a container leaves open of what the kernel offers to everybody, one line each: which families of sockets get
// past the filter, which namespaces can be made, which of the calls with a history of holes answer. A static program that
// needs nothing, so that the same question can be put to any engine.
//
// Nothing printed depends on what the kernel was built with, as far as that can be avoided: a call that the filter lets pass
// is made so that the kernel refuses it for another reason ("reached") before it looks further.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FAMILIES 65
// Not a type of socket, and not a flag: EINVAL before the family is looked at.
#define NO_TYPE 0x7FFFFFF0

static const char *name_of(int error)
{
    return error == 0 ? "ok" : strerrorname_np(error);
}

// The families by the answer, in the order in which the answers came.
static void sockets(const char *title, long call, uint64_t upper)
{
    int answers[FAMILIES];
    for (int family = 0; family < FAMILIES; family++) {
        int pair[2];
        errno = 0;
        syscall(call, upper | (uint64_t)family, (long)NO_TYPE, 0L, pair);
        answers[family] = errno;
    }
    for (int first = 0; first < FAMILIES; first++) {
        int seen = 0;
        for (int before = 0; before < first; before++) seen |= answers[before] == answers[first];
        if (seen) continue;
        printf("%s: %s:", title, answers[first] == EINVAL ? "reached" : name_of(answers[first]));
        // Neighbours as a range.
        for (int family = first; family < FAMILIES; family++) {
            if (answers[family] != answers[first]) continue;
            int last = family;
            while (last + 1 < FAMILIES && answers[last + 1] == answers[first]) last++;
            printf(last > family ? " %d-%d" : " %d", family, last);
            family = last;
        }
        putchar('\n');
    }
}

static const struct {
    const char *name;
    uint64_t flag;
} namespaces[] = {
    {"user", CLONE_NEWUSER}, {"mount", CLONE_NEWNS}, {"pid", CLONE_NEWPID}, {"network", CLONE_NEWNET}, {"ipc", CLONE_NEWIPC},
    {"uts", CLONE_NEWUTS}, {"cgroup", CLONE_NEWCGROUP}, {"time", 0x80},
};

enum way { UNSHARE, CLONE, CLONE_UPPER, CLONE3 };

// In a child, which may be killed for it: the errno, or 128 and the signal.
static int new_namespace(enum way way, uint64_t flag)
{
    pid_t child = fork();
    if (child < 0) return errno;
    if (child == 0) {
        long result;
        uint64_t arguments[8] = {flag, 0, 0, 0, SIGCHLD};
        if (way == UNSHARE) result = syscall(SYS_unshare, flag);
        else if (way == CLONE3) result = syscall(SYS_clone3, arguments, sizeof arguments);
        else result = syscall(SYS_clone, flag | SIGCHLD | (way == CLONE_UPPER ? 1ULL << 32 : 0), 0L, 0L, 0L, 0L);
        if (result == 0 && way != UNSHARE) _exit(0);
        _exit(result < 0 ? errno : 0);
    }
    int status;
    if (waitpid(child, &status, 0) < 0) return errno;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void new_namespaces(const char *title, enum way way)
{
    for (size_t i = 0; i < sizeof namespaces / sizeof namespaces[0]; i++) {
        // The flag of time namespaces is a part of the signal for clone(2).
        if (namespaces[i].flag == 0x80 && (way == CLONE || way == CLONE_UPPER)) continue;
        int answer = new_namespace(way, namespaces[i].flag);
        if (answer >= 128) printf("%s %s: killed by %d\n", title, namespaces[i].name, answer - 128);
        else printf("%s %s: %s\n", title, namespaces[i].name, name_of(answer));
    }
}

// A call that fails with `reached` where the filter lets it pass.
static void call(const char *name, int reached, long number, long a, long b, long c, long d, long e)
{
    fflush(stdout);
    pid_t child = fork();
    if (child < 0) return;
    if (child == 0) {
        errno = 0;
        long result = syscall(number, a, b, c, d, e, 0L);
        int error = result == -1 ? errno : 0;
        printf("%s: %s\n", name, error == reached || error == 0 ? "reached" : name_of(error));
        fflush(stdout);
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status)) printf("%s: killed by %d\n", name, WTERMSIG(status));
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    sockets("socket", SYS_socket, 0);
    sockets("socket, bit 32 set", SYS_socket, 1ULL << 32);
    sockets("socket, upper half set", SYS_socket, 0xFFFFFFFFULL << 32);
    sockets("socketpair", SYS_socketpair, 0);
    sockets("socketpair, bit 32 set", SYS_socketpair, 1ULL << 32);

    new_namespaces("unshare", UNSHARE);
    new_namespaces("clone", CLONE);
    new_namespaces("clone, bit 32 set", CLONE_UPPER);
    new_namespaces("clone3", CLONE3);
    call("setns", EBADF, SYS_setns, -1, 0, 0, 0, 0);

    call("io_uring_setup", EFAULT, SYS_io_uring_setup, 1, 0, 0, 0, 0);
    call("io_uring_enter", EBADF, SYS_io_uring_enter, -1, 0, 0, 0, 0);
    call("io_uring_register", EINVAL, SYS_io_uring_register, -1, 9999, 0, 0, 0);
    call("bpf", EINVAL, SYS_bpf, 9999, 0, 0, 0, 0);
    call("perf_event_open", EFAULT, SYS_perf_event_open, 0, 0, -1, -1, 0);
    call("userfaultfd", EINVAL, SYS_userfaultfd, 0x7FFF0000, 0, 0, 0, 0);
    call("keyctl", EOPNOTSUPP, SYS_keyctl, 9999, 0, 0, 0, 0);
    call("add_key", EFAULT, SYS_add_key, 0, 0, 0, 0, 0);
    call("request_key", EFAULT, SYS_request_key, 0, 0, 0, 0, 0);

    call("mount", EFAULT, SYS_mount, 1, 1, 1, 0, 0);
    call("umount2", EINVAL, SYS_umount2, 1, 0x7FFF0000, 0, 0, 0);
    call("pivot_root", EFAULT, SYS_pivot_root, 1, 1, 0, 0, 0);
    call("fsopen", EFAULT, SYS_fsopen, 1, 0, 0, 0, 0);
    call("open_tree", EINVAL, SYS_open_tree, -1, 1, 0x7FFF0000, 0, 0);
    call("move_mount", EINVAL, SYS_move_mount, -1, 1, -1, 1, 0x7FFF0000);
    call("mount_setattr", EINVAL, SYS_mount_setattr, -1, 1, 0x7FFF0000, 1, 0);
    call("open_by_handle_at", EFAULT, SYS_open_by_handle_at, -1, 1, 0, 0, 0);
    call("name_to_handle_at", EINVAL, SYS_name_to_handle_at, -1, 1, 1, 1, 0x7FFF0000);
    call("init_module", EFAULT, SYS_init_module, 1, 1, 1, 0, 0);
    call("finit_module", EBADF, SYS_finit_module, -1, 1, 0, 0, 0);
    call("delete_module", EFAULT, SYS_delete_module, 1, 0, 0, 0, 0);
    call("kexec_load", EINVAL, SYS_kexec_load, 0, 9999, 0, 0x7FFF, 0);
    call("swapon", EFAULT, SYS_swapon, 1, 0, 0, 0, 0);
    call("acct", EFAULT, SYS_acct, 1, 0, 0, 0, 0);
    call("quotactl", EINVAL, SYS_quotactl, 0x7FFFFF, 0, 0, 0, 0);
    call("settimeofday", EFAULT, SYS_settimeofday, 1, 0, 0, 0, 0);
    call("clock_settime", EINVAL, SYS_clock_settime, 9999, 0, 0, 0, 0);
    call("sethostname", EINVAL, SYS_sethostname, 1, -1, 0, 0, 0);
    call("syslog", EINVAL, SYS_syslog, 9999, 0, 0, 0, 0);
    call("lookup_dcookie", EINVAL, SYS_lookup_dcookie, 0, 0, 0, 0, 0);
    call("fanotify_init", EINVAL, SYS_fanotify_init, 0x7FFF0000, 0, 0, 0, 0);
    call("kcmp", ESRCH, SYS_kcmp, 0x7FFFFFFF, 1, 0, 0, 0);
    call("ptrace", ESRCH, SYS_ptrace, 16, 0x7FFFFFFF, 0, 0, 0);
    call("process_vm_readv", EINVAL, SYS_process_vm_readv, 1, 0, 0, 0, 0);
    call("pidfd_getfd", EBADF, SYS_pidfd_getfd, -1, 0, 0, 0, 0);
    call("process_madvise", EINVAL, SYS_process_madvise, -1, 0, 0, 0, 1);
    call("mbind", EINVAL, SYS_mbind, 1, 1, 9999, 0, 0);
    call("move_pages", EINVAL, SYS_move_pages, 0, 0, 0, 0, 0);
    call("personality ADDR_NO_RANDOMIZE", 0, SYS_personality, ADDR_NO_RANDOMIZE, 0, 0, 0, 0);
    call("personality ADDR_NO_RANDOMIZE, bit 32 set", 0, SYS_personality, 1L << 32 | ADDR_NO_RANDOMIZE, 0, 0, 0, 0);
    call("reboot", EINVAL, SYS_reboot, 0, 0, 0, 0, 0);
    call("vhangup", 0, SYS_vhangup, 0, 0, 0, 0, 0);
    call("memfd_secret", EINVAL, SYS_memfd_secret, 0x7FFF0000, 0, 0, 0, 0);
    call("a call of the future", 0, 1000, 0, 0, 0, 0, 0);
#ifdef SYS_iopl
    call("iopl", EINVAL, SYS_iopl, 99, 0, 0, 0, 0);
    call("ioperm", EINVAL, SYS_ioperm, -1, 2, 0, 0, 0);
    call("modify_ldt", 0, SYS_modify_ldt, 99, 0, 0, 0, 0);
#endif
    return 0;
}
