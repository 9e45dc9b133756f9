// tmpcopyup: a new tmpfs begins with what the image has in the folder that it covers; an empty volume, too.
//
// Either folder may be one of a volume whose other users change it meanwhile. So everything is opened once, by a path descriptor, and
// judged by that; nothing but a regular file or a folder is ever opened for reading, as a FIFO would wait and a device would act
// (CVE-2026-133553). What is written goes to the copy's own descriptors alone. The walk holds one folder of either side and a
// few numbers for each level above it, however deep the tree is.
//
// Files of several names stay so: what is a megabyte in the image must not be a terabyte in a volume. Who they are is noted in the
// copy itself, in a folder beside all others, where each has one more name until the end: no memory says how many there may be.

#include "shim.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

// Deeper than any path can name; a tree that somebody else makes deeper while we look at it must end.
enum { deepest = 4096 };

// Which folder it was.
struct identity {
    dev_t device;
    ino_t inode;
};

// The folders above the present ones, and where the source's list of entries goes on.
static struct level {
    struct identity source, target;
    off_t next;
} levels[deepest];

struct copy {
    int source;
    int target;
    uint32_t depth;
    int from, to;    // where they began
    int links;       // the folder of the files of several names; -1 before the first of them
    char aside[32];  // its name
};

// Opens for reading what a path descriptor has: that very inode, whatever has its name by now.
static int open_again(int descriptor, int flags) {
    char path[32];
    struct text text = TEXT_IN(path);
    add_format(&text, "/proc/self/fd/%d", descriptor);
    return text.fits ? open(path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC) : -1;
}

// The data of a file, with holes where it has holes: it is the data that costs, however large the file says that it is.
static int copy_data(int from, int to, off_t size) {
    for (off_t at = 0; at < size;) {
        off_t begin = lseek(from, at, SEEK_DATA);
        if (begin < 0 && errno == ENXIO) break; // nothing but a hole as far as the end
        if (begin < 0) return -1;
        off_t end = lseek(from, begin, SEEK_HOLE);
        if (end < 0 || lseek(to, begin, SEEK_SET) < 0) return -1;
        if (end > size) end = size;
        for (at = begin; at < end;) {
            ssize_t count = sendfile(to, from, &at, (size_t)(end - at));
            if (count < 0) return -1;
            if (count == 0) return ftruncate(to, size); // shorter than it was
        }
        at = end > begin ? end : begin + 1;
    }
    return ftruncate(to, size);
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

// The owner first: changing it takes the setuid bit away.
static int copy_metadata(int from, int to, const struct stat *status) {
    if (fchown(to, status->st_uid, status->st_gid) != 0 || fchmod(to, status->st_mode & 07777) != 0) return -1;
    copy_attributes(from, to);
    const struct timespec times[2] = {status->st_atim, status->st_mtim};
    return futimens(to, times);
}

// Makes the folder of the files of several names, under a name that the source does not have.
static int make_links(struct copy *copy) {
    for (unsigned int number = 0; number < 4096; number++) {
        struct text aside = TEXT_IN(copy->aside);
        add_format(&aside, ".minirun-links.%u", number);
        struct stat status;
        if (fstatat(copy->from, copy->aside, &status, AT_SYMLINK_NOFOLLOW) == 0) continue;
        if (mkdirat(copy->to, copy->aside, 0700) != 0) return -1;
        copy->links = openat(copy->to, copy->aside, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return copy->links < 0 ? -1 : 0;
    }
    return fail_with(EEXIST, "no name is free for a folder");
}

// Takes it away with all its names.
static int remove_links(const struct copy *copy) {
    char buffer[4096] __attribute__((aligned(8)));
    long size;
    if (copy->links < 0) return 0;
    do {
        if (lseek(copy->links, 0, SEEK_SET) < 0 || (size = syscall(SYS_getdents64, copy->links, buffer, sizeof buffer)) < 0) return -1;
        int gone = 0;
        for (long at = 0; at < size;) {
            const struct dirent64 *entry = (const struct dirent64 *)(const void *)(buffer + at);
            at += entry->d_reclen;
            if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
            if (unlinkat(copy->links, entry->d_name, 0) != 0) return -1;
            gone++;
        }
        if (gone == 0) break;
    } while (size > 0);
    return unlinkat(copy->to, copy->aside, AT_REMOVEDIR);
}

static int copy_contents(const struct copy *copy, const char *name, int descriptor, const struct stat *status) {
    int from = open_again(descriptor, O_RDONLY);
    if (from < 0) return -1;
    int to = openat(copy->target, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (to < 0) return close_keeping_errno(from, -1);
    int result = copy_data(from, to, status->st_size) != 0 ? -1 : copy_metadata(from, to, status);
    close_keeping_errno(to, 0);
    return close_keeping_errno(from, result);
}

// A regular file; one that was copied under another name gets one more.
static int copy_file(struct copy *copy, const char *name, int descriptor, const struct stat *status) {
    if (status->st_nlink < 2) return copy_contents(copy, name, descriptor, status);
    if (copy->links < 0 && make_links(copy) != 0) return -1;
    char space[64];
    struct text key = TEXT_IN(space);
    add_format(&key, "%llx-%llx", (unsigned long long)status->st_dev, (unsigned long long)status->st_ino);
    if (linkat(copy->links, space, copy->target, name, 0) == 0) return 0;
    // The first one, or one of more names than the file system gives a file.
    if (errno == EMLINK ? unlinkat(copy->links, space, 0) != 0 : errno != ENOENT) return -1;
    if (copy_contents(copy, name, descriptor, status) != 0) return -1;
    return linkat(copy->target, name, copy->links, space, 0);
}

static int copy_link(const struct copy *copy, const char *name, int descriptor) {
    char target[4096];
    ssize_t length = readlinkat(descriptor, "", target, sizeof target - 1);
    if (length < 0) return -1;
    target[length] = 0;
    return symlinkat(target, copy->target, name);
}

static int identify(int folder, struct identity *identity) {
    struct stat status;
    if (fstat(folder, &status) != 0) return -1;
    *identity = (struct identity){.device = status.st_dev, .inode = status.st_ino};
    return 0;
}

// Opens the folder above one, which is still the one that the walk came from: a folder that was moved meanwhile would lead
// elsewhere.
static int open_above(int folder, const struct identity *known) {
    struct identity found;
    int above = openat(folder, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (above < 0) return -1;
    if (identify(above, &found) != 0) return close_keeping_errno(above, -1);
    if (found.device == known->device && found.inode == known->inode) return above;
    close(above);
    return fail_with(ESTALE, "a folder was moved while it was copied");
}

// Goes into a folder, which is made in the copy. What is to be done in the one above is noted; its descriptors are closed.
static int descend(struct copy *copy, const char *name, int descriptor, off_t next) {
    struct level above = {.next = next};
    if (copy->depth == deepest) return fail_with(ELOOP, "too deep to copy");
    if (identify(copy->source, &above.source) != 0 || identify(copy->target, &above.target) != 0) return -1;
    if (mkdirat(copy->target, name, 0700) != 0 && errno != EEXIST) return -1;
    int source = open_again(descriptor, O_RDONLY | O_DIRECTORY);
    if (source < 0) return -1;
    int target = openat(copy->target, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (target < 0) return close_keeping_errno(source, -1);
    levels[copy->depth++] = above;
    close(copy->source), close(copy->target);
    copy->source = source, copy->target = target;
    return 0;
}

// Finishes a folder and goes back to the one above.
static int ascend(struct copy *copy) {
    struct stat own;
    if (fstat(copy->source, &own) != 0 || copy_metadata(copy->source, copy->target, &own) != 0) return -1;
    const struct level *level = &levels[--copy->depth];
    int source = open_above(copy->source, &level->source);
    if (source < 0) return -1;
    if (lseek(source, level->next, SEEK_SET) < 0) return close_keeping_errno(source, -1);
    int target = open_above(copy->target, &level->target);
    if (target < 0) return close_keeping_errno(source, -1);
    close(copy->source), close(copy->target);
    copy->source = source, copy->target = target;
    return 0;
}

// Copies one entry. 1 where it was a folder that the walk has gone into.
static int copy_entry(struct copy *copy, const char *name, off_t next) {
    struct stat status;
    int descriptor = openat(copy->source, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (descriptor < 0) return errno == ENOENT ? 0 : -1; // removed meanwhile
    int result = fstat(descriptor, &status);
    if (result == 0 && S_ISDIR(status.st_mode)) {
        result = descend(copy, name, descriptor, next) == 0 ? 1 : -1;
    } else if (result == 0 && S_ISREG(status.st_mode)) {
        result = copy_file(copy, name, descriptor, &status);
    } else if (result == 0) {
        result = S_ISLNK(status.st_mode) ? copy_link(copy, name, descriptor)
                                         : mknodat(copy->target, name, status.st_mode, status.st_rdev);
        if (result == 0) result = fchownat(copy->target, name, status.st_uid, status.st_gid, AT_SYMLINK_NOFOLLOW);
    }
    return close_keeping_errno(descriptor, result);
}

// The entries that one getdents64(2) gives, into the stack: this program has no allocator to open a DIR with. 1 where the walk has
// gone into one of them, 0 at the end of the folder, 2 where there are more.
static int copy_some(struct copy *copy) {
    char buffer[4096] __attribute__((aligned(8)));
    long size = syscall(SYS_getdents64, copy->source, buffer, sizeof buffer);
    if (size <= 0) return (int)size;
    for (long at = 0; at < size;) {
        const struct dirent64 *entry = (const struct dirent64 *)(const void *)(buffer + at);
        at += entry->d_reclen;
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        int result = copy_entry(copy, entry->d_name, entry->d_off);
        if (result != 0) return result;
    }
    return 2;
}

static int copy_all(struct copy *copy) {
    for (;;) {
        int result = copy_some(copy);
        if (result < 0) return -1;
        if (result > 0) continue;
        if (copy->depth == 0) return 0;
        if (ascend(copy) != 0) return -1;
    }
}

// Copies what is in an open folder into another, a mount's root that may be detached, and the folder's own owner; its mode is an
// option of the file system.
int copy_up(int from, int to) {
    struct stat status;
    if (fstat(from, &status) != 0) return -1;
    struct copy copy = {.source = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), .target = -1, .from = from, .to = to, .links = -1};
    if (copy.source < 0) return -1;
    copy.target = openat(to, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = copy.target < 0 || copy_all(&copy) != 0 ? -1 : fchown(copy.target, status.st_uid, status.st_gid), code = errno;
    if (remove_links(&copy) != 0 && result == 0) result = -1;
    else errno = code;
    if (copy.links >= 0) close_keeping_errno(copy.links, 0);
    if (copy.target >= 0) close_keeping_errno(copy.target, 0);
    return close_keeping_errno(copy.source, result);
}
