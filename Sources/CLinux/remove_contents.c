#define _GNU_SOURCE 1
#include "include/CLinux.h"

// Takes `name` out of an open folder: a file by unlink, a folder by rmdir, and what is in it only where it is not empty. Most
// folders of a container that ends are, so they cost one call.
static int remove_entry(int directory, const char *name, unsigned char type, dev_t device) {
    int is_folder = type == DT_DIR;
    if (!is_folder) {
        if (unlinkat(directory, name, 0) == 0 || errno == ENOENT) return 0;
        if (errno != EISDIR) return -1;
    }
    if (unlinkat(directory, name, AT_REMOVEDIR) == 0 || errno == ENOENT) return 0;
    if (errno != ENOTEMPTY && errno != EEXIST) return -1;
    int child = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (child < 0) return errno == ENOENT ? 0 : -1;
    struct stat status;
    int result = fstat(child, &status);
    if (result == 0 && status.st_dev != device) {
        errno = EBUSY;
        result = -1;
    }
    if (result == 0) result = linux_remove_contents(child, device);
    int code = errno;
    close(child);
    errno = code;
    if (result != 0) return -1;
    return unlinkat(directory, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : -1;
}

int linux_remove_contents(int directory, dev_t device) {
    char buffer[8192] __attribute__((aligned(8)));
    for (;;) {
        ssize_t size = getdents64(directory, buffer, sizeof buffer);
        if (size <= 0) return (int)size;
        for (ssize_t at = 0; at < size;) {
            struct dirent64 *entry = (struct dirent64 *)(buffer + at);
            at += entry->d_reclen;
            if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
            if (remove_entry(directory, entry->d_name, entry->d_type, device) != 0) return -1;
        }
    }
}
