// Subcommands that try what a container may forbid, and print "ok" or the error's name. They succeed either way.
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

static int print_result(int result)
{
    puts(errno_name(result < 0 ? errno : 0));
    return 0;
}

int try_write(int argc, char **argv)
{
    (void)argc;
    int file = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file < 0) return print_result(-1);
    return print_result(write(file, argv[2], strlen(argv[2])) < 0 || close(file) < 0 ? -1 : 0);
}

int try_open(int argc, char **argv)
{
    (void)argc;
    return print_result(open(argv[1], O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
}

int try_mknod(int argc, char **argv)
{
    (void)argc;
    mode_t type = argv[2][0] == 'b' ? S_IFBLK : S_IFCHR;
    return print_result(mknod(argv[1], type | 0666, makedev((unsigned)atoi(argv[3]), (unsigned)atoi(argv[4]))));
}

// Arguments that are not given are zero. In a child, since a filter may kill instead of refusing.
int try_syscall(int argc, char **argv)
{
    long arguments[6] = {0};
    for (int i = 0; i < 6 && i + 2 < argc; i++) arguments[i] = strtol(argv[i + 2], NULL, 0);
    long number = syscall_number(argv[1]);
    if (number < 0) {
        fprintf(stderr, "guest: no system call %s here; give its number\n", argv[1]);
        return 2;
    }
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        print_result(syscall(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]) == -1
                         ? -1
                         : 0);
        fflush(stdout);
        _exit(0);
    }
    int status;
    if (child < 0 || waitpid(child, &status, 0) < 0) return 1;
    if (WIFSIGNALED(status)) puts(signal_name(WTERMSIG(status)));
    return 0;
}

static void try_mount(const char *type, const char *target, unsigned long flags)
{
    int result = mount("none", target, type, flags, NULL);
    printf("%s on %s: %s\n", type, target, errno_name(result < 0 ? errno : 0));
    if (result == 0) umount2(target, MNT_DETACH);
}

int try_mounts(int argc, char **argv)
{
    (void)argc, (void)argv;
    mkdir("/.guest-mount", 0700);
    const char *target = access("/.guest-mount", F_OK) == 0 ? "/.guest-mount" : "/dev";
    try_mount("tmpfs", target, 0);
    try_mount("proc", target, 0);
    try_mount("sysfs", target, 0);
    try_mount("cgroup", target, 0);
    try_mount("cgroup2", target, 0);
    // Writable again: what CVE-2022-0492 and an escape by way of /proc/sys would need.
    int result = mount(NULL, "/proc/sys", NULL, MS_REMOUNT | MS_BIND, NULL);
    printf("remount of /proc/sys: %s\n", errno_name(result < 0 ? errno : 0));
    rmdir("/.guest-mount");
    return 0;
}

int try_unshare(int argc, char **argv)
{
    (void)argc, (void)argv;
    static const struct { const char *name; int flags; } kinds[] = {
        {"user", CLONE_NEWUSER}, {"mount", CLONE_NEWNS}, {"pid", CLONE_NEWPID}, {"network", CLONE_NEWNET},
        {"ipc", CLONE_NEWIPC}, {"uts", CLONE_NEWUTS}, {"cgroup", CLONE_NEWCGROUP}, {"time", 0x80},
        {"user+mount+cgroup", CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWCGROUP},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        fflush(stdout);
        // A child for each: a namespace that was left cannot be entered again.
        pid_t child = fork();
        if (child == 0) {
            int result = unshare(kinds[i].flags);
            printf("%s: %s\n", kinds[i].name, errno_name(result < 0 ? errno : 0));
            fflush(stdout);
            _exit(0);
        }
        if (child > 0) waitpid(child, NULL, 0);
    }
    return 0;
}

// CVE-2019-5736: keeps on trying to open the program of another process for writing, through a descriptor that outlives it,
// and writes there if that works. Prints "ready" first, then each answer that is new, and ends with the process.
int try_overwrite(int argc, char **argv)
{
    (void)argc;
    char path[64], again[64];
    int program = -1, last = -1, tries = 0;
    snprintf(path, sizeof path, "/proc/%s/exe", argv[1]);
    puts("ready");
    fflush(stdout);
    for (;;) {
        if (program < 0) program = open(path, O_RDONLY | O_CLOEXEC);
        if (program < 0) {
            if (errno == last) continue;
            last = errno;
            if (last == ENOENT && tries > 0) return 0;
            printf("open: %s\n", errno_name(last));
            fflush(stdout);
            continue;
        }
        snprintf(again, sizeof again, "/proc/self/fd/%d", program);
        int file = open(again, O_WRONLY | O_CLOEXEC);
        int error = file < 0 ? errno : 0;
        if (error != last) printf("write: %s\n", errno_name(last = error));
        fflush(stdout);
        if (file >= 0) return write(file, "overwritten\n", 12) < 0;
        if (error != ETXTBSY || tries++ > 1000000) return 0;
    }
}

// Looks for a key by its name in the session keyring and in that of the user, and then adds one.
int try_keyring(int argc, char **argv)
{
    (void)argc;
    static const int rings[] = {KEY_SPEC_SESSION_KEYRING, KEY_SPEC_USER_KEYRING, KEY_SPEC_USER_SESSION_KEYRING};
    static const char *const names[] = {"session", "user", "user session"};
    for (int i = 0; i < 3; i++) {
        long found = syscall(SYS_keyctl, KEYCTL_SEARCH, rings[i], "user", argv[1], 0);
        printf("%s: %s\n", names[i], errno_name(found < 0 ? errno : 0));
    }
    long added = syscall(SYS_add_key, "user", "guest", "x", 1, KEY_SPEC_SESSION_KEYRING);
    printf("add: %s\n", errno_name(added < 0 ? errno : 0));
    return 0;
}
