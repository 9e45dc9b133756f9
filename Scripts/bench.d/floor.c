// floor LOWER FOLDER PROGRAM [ARGUMENT...]
//
// The least that the kernel must be asked for to give one program a container as docker's are: six namespaces, an overlay
// root on LOWER, proc, sys, a /dev with its nodes, masked and read-only paths, and the removal of what was written. FOLDER is
// made for the writable layer and removed again. It sets no limits, filters no system calls, drops no capabilities, and keeps
// no record: an engine adds those. Whatever an engine needs beyond this time is its own.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FAILED = 125 };

#define HARDENED (MS_NOSUID | MS_NODEV | MS_NOEXEC)

static _Noreturn void fail(const char *what) {
    fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
    _exit(FAILED);
}

// Where there is one left over from an earlier run, that will do.
static void make_folder(const char *path, mode_t mode) {
    if (mkdir(path, mode) != 0 && errno != EEXIST) fail(path);
}

static void mount_new(const char *type, const char *target, unsigned long flags, const char *options) {
    if (mount(type, target, type, flags, options) != 0) fail(target);
}

// What docker makes read-only or hides. A path that this kernel does not have needs neither.
static const char *const read_only[] = {"proc/bus", "proc/fs", "proc/irq", "proc/sys", "proc/sysrq-trigger"};
static const char *const hidden_files[] = {"proc/interrupts", "proc/kcore", "proc/keys", "proc/timer_list"};
static const char *const hidden_folders[] = {"proc/acpi", "proc/scsi", "sys/firmware", "sys/devices/virtual/powercap"};

static const struct {
    const char *path;
    unsigned int major, minor;
} nodes[] = {
    {"dev/null", 1, 3}, {"dev/zero", 1, 5}, {"dev/full", 1, 7}, {"dev/random", 1, 8}, {"dev/urandom", 1, 9}, {"dev/tty", 5, 0},
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void mount_file_systems(void) {
    make_folder("proc", 0755), make_folder("sys", 0755), make_folder("dev", 0755);
    mount_new("proc", "proc", HARDENED, NULL);
    mount_new("sysfs", "sys", HARDENED | MS_RDONLY, NULL);
    mount_new("tmpfs", "dev", MS_NOSUID, "mode=755,size=65536k");
    make_folder("dev/pts", 0755), make_folder("dev/shm", 0755), make_folder("dev/mqueue", 0755);
    mount_new("devpts", "dev/pts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620");
    mount_new("tmpfs", "dev/shm", HARDENED, "mode=1777,size=65536k");
    mount_new("mqueue", "dev/mqueue", HARDENED, NULL);
    for (size_t i = 0; i < COUNT(nodes); i++)
        if (mknod(nodes[i].path, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)) != 0) fail(nodes[i].path);
}

static void cover_paths(void) {
    for (size_t i = 0; i < COUNT(read_only); i++)
        if (mount(read_only[i], read_only[i], NULL, MS_BIND | MS_REC, NULL) == 0 &&
            mount(NULL, read_only[i], NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | HARDENED, NULL) != 0)
            fail(read_only[i]);
    for (size_t i = 0; i < COUNT(hidden_files); i++)
        if (mount("dev/null", hidden_files[i], NULL, MS_BIND, NULL) != 0 && errno != ENOENT) fail(hidden_files[i]);
    for (size_t i = 0; i < COUNT(hidden_folders); i++)
        if (mount("tmpfs", hidden_folders[i], "tmpfs", HARDENED | MS_RDONLY, "nr_inodes=1,size=4k") != 0 && errno != ENOENT)
            fail(hidden_folders[i]);
}

static _Noreturn void become_container(const char *overlay, char **command) {
    // Nothing that is mounted here may reach the host.
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) fail("making mounts private");
    mount_new("overlay", "root", 0, overlay);
    if (chdir("root") != 0) fail("root");
    umask(0);
    mount_file_systems();
    cover_paths();
    if (sethostname("floor", 5) != 0) fail("host name");
    // The old root comes to lie on the new one and is taken away from there.
    if (syscall(SYS_pivot_root, ".", ".") != 0 || umount2(".", MNT_DETACH) != 0 || chdir("/") != 0) fail("changing the root");
    execv(command[0], command);
    fail(command[0]);
}

// As `run --rm` does: the writable layer, with the mount points that were made in it, and the kernel's own folder in work.
static void remove_layer(void) {
    static const char *const made[] = {"upper/proc", "upper/sys", "upper/dev", "upper", "work/work", "work", "root"};
    for (size_t i = 0; i < COUNT(made); i++)
        if (rmdir(made[i]) != 0 && errno != ENOENT) fail(made[i]);
}

int main(int count, char **arguments) {
    if (count < 4) return FAILED;
    const char *lower = arguments[1], *folder = arguments[2];
    make_folder(folder, 0700);
    if (chdir(folder) != 0) fail(folder);
    make_folder("upper", 0755), make_folder("work", 0755), make_folder("root", 0755);
    char overlay[4096];
    if (snprintf(overlay, sizeof overlay, "lowerdir=%s,upperdir=upper,workdir=work", lower) >= (int)sizeof overlay) return FAILED;

    struct clone_args clone = {
        .flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWCGROUP,
        .exit_signal = SIGCHLD,
    };
    long pid = syscall(SYS_clone3, &clone, sizeof clone);
    if (pid < 0) fail("clone3");
    if (pid == 0) become_container(overlay, arguments + 3);

    int status = 0;
    while (waitpid((pid_t)pid, &status, 0) < 0 && errno == EINTR) {}
    remove_layer();
    if (chdir("/") != 0 || rmdir(folder) != 0) fail(folder);
    return WIFEXITED(status) ? WEXITSTATUS(status) : FAILED;
}
