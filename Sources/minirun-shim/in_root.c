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
    char space[PATH_MAX];
    struct text parent = TEXT_IN(space);
    add_bytes(&parent, path, slash ? (size_t)(slash - path) : 0);
    if (!parent.fits) return fail_with(ENAMETOOLONG, path);
    return open_target(shim, parent.length ? space : "/", true);
}

// A path on its way to what it means: links that lead nowhere are replaced by their texts.
struct way {
    char path[PATH_MAX];
    int links;
    bool changed; // by a link: it is to be gone from its beginning
};

// Puts the text of a link in the place of the component from `begin` to `end`, and of all before it where it is absolute. A link
// that leads nowhere is followed by its text, inside the root: what it leads to is what is made.
static int follow_link(struct way *way, int parent, const char *name, size_t begin, size_t end) {
    char space[PATH_MAX], target[PATH_MAX];
    struct statfs status;
    // The text of procfs's own links is the kernel's word for a file, and no way to it.
    if (fstatfs(parent, &status) != 0 || status.f_type == PROC_SUPER_MAGIC) return fail_with(ENOENT, way->path);
    ssize_t length = readlinkat(parent, name, target, sizeof target);
    if (length < 0) return fail_with(ENOENT, way->path); // a racing container
    if (++way->links > 40) return fail_with(ELOOP, way->path);
    struct text path = TEXT_IN(space);
    if (length > 0 && target[0] != '/') add_bytes(&path, way->path, begin);
    add_bytes(&path, target, (size_t)length);
    add(&path, way->path + end);
    struct text kept = TEXT_IN(way->path);
    add_bytes(&kept, space, path.length);
    return path.fits ? 0 : fail_with(ENAMETOOLONG, kept.bytes);
}

// Makes one component in the folder that it belongs to. 1 where something is there already that could not be opened: a link.
static int make_component(int parent, const char *name, bool folder) {
    int made;
    if (folder) {
        made = mkdirat(parent, name, 0755);
    } else {
        made = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (made >= 0) close(made);
    }
    return made >= 0 ? 0 : errno == EEXIST ? 1 : -1;
}

// Opens the path as far as `end`, which is the end of a component; makes that component where it is missing, in `parent`, the
// folder before it. -1 as well where that is a link that leads nowhere, by which the way has changed.
static int open_component(const struct shim *shim, struct way *way, int parent, size_t begin, size_t end, bool folder) {
    char next = way->path[end];
    const char *name = way->path + begin;
    way->path[end] = 0;
    int fd = open_in_root(shim, way->path, O_PATH | (folder ? O_DIRECTORY : 0));
    if (fd < 0 && errno == ENOENT) {
        int made = make_component(parent, name, folder);
        if (made == 0) {
            fd = open_in_root(shim, way->path, O_PATH | O_NOFOLLOW | (folder ? O_DIRECTORY : 0));
        } else if (made < 0) {
            fail_with(errno, way->path);
        } else {
            char copy[NAME_MAX + 1];
            struct text text = TEXT_IN(copy);
            add(&text, name);
            way->path[end] = next;
            if (!text.fits) return fail_with(ENAMETOOLONG, name);
            way->changed = follow_link(way, parent, copy, begin, end) == 0;
            return -1;
        }
    }
    way->path[end] = next;
    return fd;
}

// Opens (O_PATH) what a mount goes onto. Where nothing is there it is created, as a folder or as an empty file, component by
// component, each inside the folder that was just opened: without recursion, as it is somebody else who says how many there are.
int open_target(const struct shim *shim, const char *path, bool folder) {
    int fd = open_in_root(shim, path, O_PATH | (folder ? O_DIRECTORY : 0));
    if (fd >= 0 || errno != ENOENT) return fd;
    struct way way = {.links = 0};
    struct text text = TEXT_IN(way.path);
    add(&text, path);
    if (!text.fits) return fail_with(ENAMETOOLONG, path);
    int parent = -1;
    for (size_t at = 0;;) {
        if (parent < 0 && (parent = open_in_root(shim, "/", O_PATH | O_DIRECTORY)) < 0) return -1;
        size_t begin = at + strspn(way.path + at, "/"), end = begin + strcspn(way.path + begin, "/");
        if (begin == end) return parent;
        bool last = !way.path[end + strspn(way.path + end, "/")];
        fd = open_component(shim, &way, parent, begin, end, folder || !last);
        close_keeping_errno(parent, 0);
        parent = fd;
        if (fd < 0 && !way.changed) return -1;
        at = fd < 0 ? 0 : end;
        way.changed = false;
    }
}
