#define _GNU_SOURCE 1
#include "include/CLinux.h"

// How deep the walk holds one descriptor for each level. What lies deeper is moved up first, so that no tree, however deep a
// container has made it, takes more descriptors or stack than this.
enum { deepest = 16 };

struct removal {
    int top;           // the folder that is being emptied
    dev_t device;      // its file system, which is not left
    unsigned int moved;
};

static int empty_folder(struct removal *removal, int directory, int depth);

// Empties the folder `name` and takes it away.
static int remove_folder(struct removal *removal, int directory, const char *name, int depth) {
    if (depth == deepest) {
        char aside[32];
        do snprintf(aside, sizeof aside, ".minirun-removed-%u", removal->moved++);
        while (renameat2(directory, name, removal->top, aside, RENAME_NOREPLACE) != 0 && errno == EEXIST);
        return faccessat(directory, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ? -1 : 0;
    }
    int child = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (child < 0) return errno == ENOENT ? 0 : -1;
    struct stat status;
    int result = fstat(child, &status);
    if (result == 0 && status.st_dev != removal->device) {
        errno = EBUSY;
        result = -1;
    }
    if (result == 0) result = empty_folder(removal, child, depth + 1);
    int code = errno;
    close(child);
    errno = code;
    if (result != 0) return -1;
    return unlinkat(directory, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : -1;
}

// Takes `name` out of an open folder: a file by unlink, a folder by rmdir, and what is in it only where it is not empty. Most
// folders of a container that ends are, so they cost one call.
static int remove_entry(struct removal *removal, int directory, const char *name, unsigned char type, int depth) {
    if (type != DT_DIR) {
        if (unlinkat(directory, name, 0) == 0 || errno == ENOENT) return 0;
        if (errno != EISDIR) return -1;
    }
    if (unlinkat(directory, name, AT_REMOVEDIR) == 0 || errno == ENOENT) return 0;
    if (errno != ENOTEMPTY && errno != EEXIST) return -1;
    return remove_folder(removal, directory, name, depth);
}

static int empty_folder(struct removal *removal, int directory, int depth) {
    char buffer[4096] __attribute__((aligned(8)));
    for (;;) {
        ssize_t size = getdents64(directory, buffer, sizeof buffer);
        if (size <= 0) return (int)size;
        for (ssize_t at = 0; at < size;) {
            struct dirent64 *entry = (struct dirent64 *)(buffer + at);
            at += entry->d_reclen;
            if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
            if (remove_entry(removal, directory, entry->d_name, entry->d_type, depth) != 0) return -1;
        }
    }
}

int linux_remove_contents(int directory, dev_t device) {
    struct removal removal = {.top = directory, .device = device};
    unsigned int before;
    // What was moved up on the way may have been missed by the listing: once more until nothing was.
    do {
        before = removal.moved;
        if (lseek(directory, 0, SEEK_SET) < 0 || empty_folder(&removal, directory, 0) != 0) return -1;
    } while (removal.moved != before);
    return 0;
}
