// Links, device nodes and kernel settings in the new root.

#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

int step_link(struct shim *shim, const struct lp_step *step) {
    const char *name;
    int parent = open_parent(shim, text_of(shim, step, 0), &name);
    if (parent < 0) return -1;
    int result = symlinkat(text_of(shim, step, 1), parent, name);
    if (result != 0 && errno == EEXIST) result = 0;
    int code = errno;
    close(parent);
    errno = code;
    return result;
}

// Whether a node is of that kind and number. A pipe has no number.
static bool is_device(int parent, const char *name, mode_t mode, dev_t number) {
    struct stat status;
    if (fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) != 0 || (status.st_mode & S_IFMT) != (mode & S_IFMT)) return false;
    return S_ISFIFO(mode) || status.st_rdev == number;
}

int step_device(struct shim *shim, const struct lp_step *step) {
    const char *name;
    int parent = open_parent(shim, text_of(shim, step, 0), &name);
    if (parent < 0) return -1;
    dev_t number = makedev((unsigned int)step->number[1], (unsigned int)step->number[2]);
    int result = mknodat(parent, name, (mode_t)step->number[0], number);
    // What is there already is good where it is that device: it may come with a bind, and is then not ours to change.
    if (result != 0 && errno == EEXIST) {
        result = is_device(parent, name, (mode_t)step->number[0], number) ? 0 : fail_with(EEXIST, "it is something else");
    } else if (result == 0 && (step->number[3] || step->number[4]))
        result = fchownat(parent, name, (uid_t)step->number[3], (gid_t)step->number[4], AT_SYMLINK_NOFOLLOW);
    int code = errno;
    close(parent);
    errno = code;
    return result;
}

// Writes to a file that must be on the container's own procfs: not on something bound over it, and not behind a link
// (CVE-2025-52881).
int step_sysctl(struct shim *shim, const struct lp_step *step) {
    char path[512];
    struct text name = TEXT_IN(path);
    add(&name, "sys/");
    add(&name, text_of(shim, step, 0));
    if (!name.fits) return fail_with(ENAMETOOLONG, "sysctl");
    struct open_how how = {
        .flags = O_WRONLY | O_CLOEXEC,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
    };
    int proc = open_in_root(shim, "/proc", O_PATH | O_DIRECTORY | O_NOFOLLOW);
    if (proc < 0) return -1;
    // Not beyond that mount: another file of a procfs may lie over it, sysrq-trigger for one.
    int file = (int)syscall(SYS_openat2, proc, path, &how, sizeof how);
    if (close_keeping_errno(proc, file) < 0) return -1;
    struct statfs status;
    if (fstatfs(file, &status) != 0 || status.f_type != PROC_SUPER_MAGIC) {
        close(file);
        return fail_with(EINVAL, "/proc/sys is not a procfs");
    }
    const char *value = text_of(shim, step, 1);
    ssize_t count = write(file, value, strlen(value));
    int code = errno;
    close(file);
    errno = code;
    return count < 0 ? -1 : 0;
}
