// The standard streams that are files or devices of the host.
//
// Whoever has a descriptor can open the same inode anew through /proc/self/fd, and root in the container owns what root on the
// host owns: with the host's /dev/null as 0 it could change the mode of the host's /dev/null, and with a file that was opened
// for reading it could write to that file or make it setuid. Pipes and sockets have no such inode. Of files only those come here
// that the engine has made read-only; for terminals and files to write it puts a pipe in between.

#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

// The container's own node of a memory device (null, zero, full, random, urandom), opened as the host's was.
static int own_device(const struct shim *shim, dev_t device, int flags) {
    static const struct { unsigned int minor; const char *path; } nodes[] = {
        {3, "/dev/null"}, {5, "/dev/zero"}, {7, "/dev/full"}, {8, "/dev/random"}, {9, "/dev/urandom"}};
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++) {
        if (device != makedev(1, nodes[i].minor)) continue;
        int node = open_in_root(shim, nodes[i].path, (flags & O_ACCMODE) | O_NOCTTY | O_NOFOLLOW);
        struct stat status;
        if (node >= 0 && fstat(node, &status) == 0 && S_ISCHR(status.st_mode) && status.st_rdev == device) return node;
        if (node >= 0) close(node);
        return fail_with(EINVAL, nodes[i].path);
    }
    return fail_with(EINVAL, "a device that a container may not have as a standard stream");
}

// Whether a file can only be read, through whatever path: the engine has opened it anew on a read-only mount of its own. A file
// without a name (a shell's here-document) is nobody's but the caller's.
static bool is_protected(int stream, const struct stat *status, int flags) {
    struct statvfs mount;
    if ((flags & O_ACCMODE) != O_RDONLY) return false;
    return status->st_nlink == 0 || (fstatvfs(stream, &mount) == 0 && mount.f_flag & ST_RDONLY);
}

int step_own_streams(struct shim *shim, const struct lp_step *step) {
    bool inherits = step->number[0];
    for (int stream = 0; stream <= 2; stream++) {
        struct stat status;
        int flags = fcntl(stream, F_GETFL);
        if (flags < 0 && inherits && errno == EBADF) continue; // the caller has closed it
        if (flags < 0 || fstat(stream, &status) != 0) return -1;
        if (inherits && (!S_ISCHR(status.st_mode) || major(status.st_rdev) != 1)) continue;
        if (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode)) continue;
        if (S_ISREG(status.st_mode) && is_protected(stream, &status, flags)) continue;
        if (!S_ISCHR(status.st_mode)) return fail_with(EINVAL, "a standard stream of a kind that a container must not have");
        int own = own_device(shim, status.st_rdev, flags);
        // A container without that node keeps the caller's.
        if (own < 0 && inherits) {
            forget_failure();
            continue;
        }
        if (own < 0 || dup2(own, stream) < 0) return -1;
        close(own);
    }
    return 0;
}
