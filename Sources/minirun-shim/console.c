// The pseudo-terminal: opened in the container's own devpts, so that its name means the same inside.

#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <sys/vfs.h>
#include <termios.h>
#include <unistd.h>

// The master, from the devpts that this plan has just mounted: never a file of the image that only has its name.
static int open_master(struct shim *shim) {
    int master = open_in_root(shim, "/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW);
    if (master < 0) return -1;
    struct stat status;
    struct statfs file_system;
    if (fstat(master, &status) != 0 || fstatfs(master, &file_system) != 0) return -1;
    if (!S_ISCHR(status.st_mode) || status.st_rdev != makedev(5, 2) || file_system.f_type != DEVPTS_SUPER_MAGIC)
        return fail_with(EINVAL, "/dev/pts/ptmx in the container is no pseudo-terminal");
    return master;
}

// Binds the terminal onto /dev/console, by descriptor (CVE-2025-52565).
static int bind_console(struct shim *shim, int terminal) {
    const char *name;
    int parent = open_parent(shim, "/dev/console", &name);
    if (parent < 0) return -1;
    int file = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (file < 0 && errno != EEXIST) return -1;
    if (file >= 0) close(file);
    int target = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct stat status;
    // One that the image or a bind of /dev brought is covered, but never a link.
    if (target >= 0 && (fstat(target, &status) != 0 || S_ISLNK(status.st_mode) || S_ISDIR(status.st_mode)))
        return fail_with(EINVAL, "/dev/console in the container is a link or a folder");
    int tree = open_tree(terminal, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
    close(parent);
    if (target < 0 || tree < 0) return -1;
    if (move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0) return -1;
    close(tree);
    close(target);
    return 0;
}

int step_console(struct shim *shim, const struct lp_step *step) {
    // A process that joins a container has its root already.
    bool joined = shim->root < 0;
    if (joined && (shim->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0) return -1;
    int master = open_master(shim);
    if (joined) {
        close_keeping_errno(shim->root, 0);
        shim->root = -1;
    }
    if (master < 0) return -1;
    int unlock = 0;
    if (ioctl(master, TIOCSPTLCK, &unlock) != 0) return -1;
    int terminal = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (terminal < 0) return -1;
    struct winsize size = {.ws_col = (unsigned short)step->number[0], .ws_row = (unsigned short)step->number[1]};
    if (size.ws_col && ioctl(terminal, TIOCSWINSZ, &size) != 0) return -1;
    struct termios settings;
    if (step->number[4]) {
        if (tcgetattr(terminal, &settings) != 0) return -1;
        settings.c_oflag &= ~(tcflag_t)ONLCR;
        if (tcsetattr(terminal, TCSANOW, &settings) != 0) return -1;
    }
    // In a user namespace without the id, or where nobody may chown, the terminal stays root's: it works all the same.
    if (fchown(terminal, (uid_t)step->number[2], (gid_t)-1) != 0 && errno != EINVAL && errno != EPERM) return -1;
    if (step->number[3] && bind_console(shim, terminal) != 0) return -1;
    for (int fd = 0; fd <= 2; fd++)
        if (dup2(terminal, fd) < 0) return -1;
    close(terminal);
    // The session is new (LP_NEW_SESSION), so this makes it the controlling terminal without taking it from anybody.
    if (ioctl(0, TIOCSCTTY, 0) != 0) return -1;
    struct lp_message message = {.kind = LP_MESSAGE_CONSOLE};
    if (send_message(shim, &message, master) != 0) return -1;
    close(master);
    return 0;
}
