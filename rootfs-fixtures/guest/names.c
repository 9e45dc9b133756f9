// Names for the kernel's numbers.
#include "guest.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

const char *errno_name(int error)
{
    static char number[16];
    const char *name = error == 0 ? "ok" : strerrorname_np(error);
    if (name) return name;
    snprintf(number, sizeof number, "%d", error);
    return number;
}

const char *signal_name(int number)
{
    static char name[24];
    const char *abbreviation = sigabbrev_np(number);
    if (abbreviation) snprintf(name, sizeof name, "SIG%s", abbreviation);
    else if (number >= SIGRTMIN) snprintf(name, sizeof name, "SIGRTMIN+%d", number - SIGRTMIN);
    else snprintf(name, sizeof name, "%d", number);
    return name;
}

const char *capability_name(int number)
{
    static const char *const names[] = {
        "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID",
        "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST",
        "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO",
        "CAP_SYS_CHROOT", "CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE",
        "CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE",
        "CAP_AUDIT_CONTROL", "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM",
        "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
    };
    static char unknown[16];
    if ((size_t)number < sizeof names / sizeof names[0]) return names[number];
    snprintf(unknown, sizeof unknown, "CAP_%d", number);
    return unknown;
}

#define CALL(name) {#name, SYS_##name}

// The system calls that seccomp profiles treat specially, and some that must always work.
static const struct {
    const char *name;
    long number;
} calls[] = {
    CALL(getpid), CALL(getuid), CALL(getcwd), CALL(uname), CALL(mount), CALL(umount2), CALL(pivot_root), CALL(chroot),
    CALL(unshare), CALL(setns), CALL(clone3), CALL(reboot), CALL(kexec_load), CALL(kexec_file_load), CALL(init_module),
    CALL(finit_module), CALL(delete_module), CALL(swapon), CALL(swapoff), CALL(acct), CALL(quotactl), CALL(ptrace),
    CALL(process_vm_readv), CALL(process_vm_writev), CALL(keyctl), CALL(add_key), CALL(request_key), CALL(bpf),
    CALL(perf_event_open), CALL(userfaultfd), CALL(open_by_handle_at), CALL(name_to_handle_at), CALL(fsopen),
    CALL(fsconfig), CALL(fsmount), CALL(fspick), CALL(move_mount), CALL(open_tree), CALL(mount_setattr),
    CALL(io_uring_setup), CALL(io_uring_enter), CALL(io_uring_register), CALL(settimeofday), CALL(clock_settime),
    CALL(clock_adjtime), CALL(adjtimex), CALL(sethostname), CALL(setdomainname), CALL(syslog), CALL(vhangup),
    CALL(lookup_dcookie), CALL(kcmp), CALL(personality), CALL(mbind), CALL(move_pages), CALL(set_mempolicy),
    CALL(get_mempolicy), CALL(fanotify_init), CALL(pidfd_getfd), CALL(process_madvise), CALL(memfd_secret),
    CALL(landlock_create_ruleset), CALL(seccomp), CALL(mknodat), CALL(setuid), CALL(setgid), CALL(setgroups),
    CALL(socket), CALL(getppid), CALL(fchmod),
#ifdef SYS_iopl
    CALL(iopl), CALL(ioperm), CALL(modify_ldt), CALL(uselib), CALL(ustat), CALL(sysfs), CALL(nfsservctl), CALL(_sysctl),
    CALL(create_module), CALL(get_kernel_syms), CALL(query_module), CALL(vserver), CALL(arch_prctl),
#endif
};

// The number of a system call given by name or number, or -1.
long syscall_number(const char *name)
{
    char *end;
    long number = strtol(name, &end, 0);
    if (*name && !*end) return number;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        if (strcmp(calls[i].name, name) == 0) return calls[i].number;
    return -1;
}
