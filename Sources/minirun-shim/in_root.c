// Paths inside the new root. The image made that tree and a volume may be shared with a running container, so every
// component may be a link and may be swapped while we look (CVE-2021-30465, CVE-2024-45310): openat2 resolves in the root,
// and what was resolved is held as a descriptor until the mount is in place.

#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

int open_in_root(const struct shim *shim, const char *path, int flags) {
    struct open_how how = {
        .flags = (uint64_t)(uint32_t)(flags | O_CLOEXEC),
        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
    };
    int fd, attempts = 0;
    // EAGAIN: something was renamed meanwhile and the kernel could not prove that `..` stays inside.
    do fd = (int)syscall(SYS_openat2, shim->root, path, &how, sizeof how);
    while (fd < 0 && (errno == EINTR || (errno == EAGAIN && ++attempts < 128)));
    return fd;
}

// Opens the folder that holds the path's last component, with missing folders created, and gives that component's name.
int open_parent(const struct shim *shim, const char *path, const char **name) {
    const char *slash = strrchr(path, '/');
    *name = slash ? slash + 1 : path;
    if (!**name || !strcmp(*name, ".") || !strcmp(*name, "..")) return fail_with(EINVAL, "a path without a name at its end");
    char parent[PATH_MAX];
    size_t length = slash ? (size_t)(slash - path) : 0;
    if (length >= sizeof parent) return fail_with(ENAMETOOLONG, path);
    memcpy(parent, path, length);
    parent[length] = 0;
    return open_target(shim, length ? parent : "/", true);
}

// Opens (O_PATH) what a mount goes onto. Where nothing is there it is created, as a folder or as an empty file, component by
// component, each inside the folder that was just opened.
static int open_or_make(const struct shim *shim, const char *path, bool folder, int links);

int open_target(const struct shim *shim, const char *path, bool folder) { return open_or_make(shim, path, folder, 0); }

// A link that leads nowhere is followed by its text, inside the root: what it leads to is what is made.
static int open_link_target(const struct shim *shim, int parent, const char *path, const char *name, bool folder, int links) {
    char text[PATH_MAX], joined[PATH_MAX];
    struct statfs status;
    // The text of procfs's own links is the kernel's word for a file, and no way to it.
    if (fstatfs(parent, &status) != 0 || status.f_type == PROC_SUPER_MAGIC) return fail_with(ENOENT, path);
    ssize_t length = readlinkat(parent, name, text, sizeof text - 1);
    if (length < 0 || links == 40) return fail_with(length < 0 ? ENOENT : ELOOP, path); // ENOENT: a racing container
    text[length] = 0;
    size_t before = *text == '/' ? 0 : (size_t)(name - path);
    if (before + (size_t)length >= sizeof joined) return fail_with(ENAMETOOLONG, path);
    memcpy(joined, path, before);
    memcpy(joined + before, text, (size_t)length + 1);
    return open_or_make(shim, joined, folder, links + 1);
}

static int open_or_make(const struct shim *shim, const char *path, bool folder, int links) {
    int fd = open_in_root(shim, path, O_PATH | (folder ? O_DIRECTORY : 0));
    if (fd >= 0 || errno != ENOENT) return fd;
    const char *name;
    int parent = open_parent(shim, path, &name);
    if (parent < 0) return -1;
    int made;
    if (folder) {
        made = mkdirat(parent, name, 0755);
    } else {
        made = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (made >= 0) close(made);
    }
    if (made < 0 && errno == EEXIST) {
        int found = open_link_target(shim, parent, path, name, folder, links);
        return close_keeping_errno(parent, found);
    }
    int code = errno;
    close(parent);
    if (made < 0) return fail_with(code, path);
    return open_in_root(shim, path, O_PATH | O_NOFOLLOW | (folder ? O_DIRECTORY : 0));
}
