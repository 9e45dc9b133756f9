// tmpcopyup: a new tmpfs begins with what the image has in the folder that it covers.

#include "shim.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

// Deeper than any image's tree; recursion by an image's hand must end.
enum { deepest = 128 };

static int copy_tree(int from, int to, int depth);

static int copy_bytes(int from, int to, off_t size) {
    for (off_t done = 0; done < size;) {
        ssize_t count = sendfile(to, from, &done, (size_t)(size - done));
        if (count < 0) return -1;
        if (count == 0) break; // shorter than it was
    }
    return 0;
}

// Extended attributes, of which a tmpfs takes those of security and trusted; others are left out.
static void copy_attributes(int from, int to) {
    char names[4096], value[4096];
    ssize_t size = flistxattr(from, names, sizeof names);
    for (char *name = names; size > 0 && name < names + size; name += strlen(name) + 1) {
        if (!strncmp(name, "trusted.overlay.", 16)) continue;
        ssize_t length = fgetxattr(from, name, value, sizeof value);
        if (length >= 0) fsetxattr(to, name, value, (size_t)length, 0);
    }
}

static int copy_open(int source, int copy, const struct stat *status, int depth) {
    int result = S_ISDIR(status->st_mode) ? copy_tree(source, copy, depth + 1) : copy_bytes(source, copy, status->st_size);
    if (result != 0) return -1;
    struct timespec times[2] = {status->st_atim, status->st_mtim};
    // The owner first: changing it takes the setuid bit away.
    if (fchown(copy, status->st_uid, status->st_gid) != 0 || fchmod(copy, status->st_mode & 07777) != 0) return -1;
    copy_attributes(source, copy);
    return futimens(copy, times);
}

static int copy_entry(int from, int to, const char *name, int depth) {
    struct stat status;
    if (fstatat(from, name, &status, AT_SYMLINK_NOFOLLOW) != 0) return -1;
    if (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode)) {
        bool folder = S_ISDIR(status.st_mode);
        if (folder && mkdirat(to, name, 0700) != 0 && errno != EEXIST) return -1;
        int source = openat(from, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | (folder ? O_DIRECTORY : 0));
        if (source < 0) return -1;
        int copy = openat(to, name, O_NOFOLLOW | O_CLOEXEC | (folder ? O_RDONLY | O_DIRECTORY : O_WRONLY | O_CREAT | O_EXCL), 0600);
        if (copy < 0) return close_keeping_errno(source, -1);
        int result = copy_open(source, copy, &status, depth);
        close_keeping_errno(copy, 0);
        return close_keeping_errno(source, result);
    }
    if (S_ISLNK(status.st_mode)) {
        char target[4096];
        ssize_t length = readlinkat(from, name, target, sizeof target - 1);
        if (length < 0) return -1;
        target[length] = 0;
        if (symlinkat(target, to, name) != 0) return -1;
    } else if (mknodat(to, name, status.st_mode, status.st_rdev) != 0) {
        return -1;
    }
    return fchownat(to, name, status.st_uid, status.st_gid, AT_SYMLINK_NOFOLLOW);
}

// getdents64(2) into the stack: this program has no allocator to open a DIR with.
static int copy_tree(int from, int to, int depth) {
    if (depth > deepest) return fail_with(ELOOP, "too deep to copy");
    char buffer[2048] __attribute__((aligned(8)));
    for (;;) {
        long size = syscall(SYS_getdents64, from, buffer, sizeof buffer);
        if (size <= 0) return (int)size;
        for (long at = 0; at < size;) {
            struct dirent64 *entry = (struct dirent64 *)(void *)(buffer + at);
            at += entry->d_reclen;
            if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
            if (copy_entry(from, to, entry->d_name, depth) != 0) return -1;
        }
    }
}

// Copies what is in an open folder into another, a mount's root that may be detached, and the folder's own owner and mode.
int copy_up(int from, int to) {
    int copy = openat(to, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (copy < 0) return -1;
    struct stat status;
    int result = fstat(from, &status) != 0 || copy_tree(from, copy, 0) != 0 ? -1 : fchown(copy, status.st_uid, status.st_gid);
    return close_keeping_errno(copy, result);
}
