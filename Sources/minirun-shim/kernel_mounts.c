// Where the old root stays below the new one (`--no-pivot`): nothing of the kernel's own file systems may stay mounted there.
//
// Whoever breaks out of the chroot would find the host's; and who makes a user namespace may mount a procfs without any mask as
// long as there is one, wherever, that shows all of itself (mount_too_revealing() in the kernel's fs/namespace.c).

#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// One line of /proc/self/mountinfo (proc_pid_mountinfo(5)).
struct mount_line {
    uint64_t id, parent;
    char path[PATH_MAX];
    bool kernels; // a procfs or a sysfs
};

static uint64_t mount_at(int folder, const char *path, int flags) {
    struct statx status;
    return statx(folder, path, flags | AT_NO_AUTOMOUNT, STATX_MNT_ID, &status) == 0 ? status.stx_mnt_id : 0;
}

// A path in mountinfo has \ooo for spaces, tabs, line feeds and backslashes.
static bool take_path(const char *from, size_t length, char *to) {
    size_t used = 0;
    for (size_t i = 0; i < length; i++) {
        if (used == PATH_MAX - 1) return false;
        if (from[i] == '\\' && i + 3 < length && from[i + 1] >= '0' && from[i + 1] <= '3') {
            to[used++] = (char)((from[i + 1] - '0') * 64 + (from[i + 2] - '0') * 8 + (from[i + 3] - '0'));
            i += 3;
        } else {
            to[used++] = from[i];
        }
    }
    to[used] = 0;
    return true;
}

static bool take_line(char *line, struct mount_line *mount) {
    char *field[6], *at = line;
    for (int i = 0; i < 6; i++) {
        field[i] = at;
        if (!(at = strchr(at, ' '))) return false;
        *at++ = 0;
    }
    // Optional fields, a dash, and the type.
    char *type = strncmp(at, "- ", 2) ? strstr(at, " - ") : at - 1;
    if (!type) return false;
    type += 3;
    type[strcspn(type, " ")] = 0;
    mount->id = strtoull(field[0], NULL, 10);
    mount->parent = strtoull(field[1], NULL, 10);
    mount->kernels = !strcmp(type, "proc") || !strcmp(type, "sysfs");
    return take_path(field[4], strlen(field[4]), mount->path);
}

// Calls `judge` for each mount until it says other than 0. The list is read whole before, as the judge changes it.
static int each_mount(int list, int (*judge)(const struct mount_line *, void *), void *context) {
    static char text[4 << 20];
    size_t used = 0;
    if (lseek(list, 0, SEEK_SET) < 0) return -1;
    for (ssize_t count; (count = read(list, text + used, sizeof text - 1 - used)) != 0; used += (size_t)count) {
        if (count < 0) return -1;
        if (used + (size_t)count == sizeof text - 1) return fail_with(E2BIG, "too many mounts");
    }
    text[used] = 0;
    for (char *line = text, *next; *line; line = next) {
        next = line + strcspn(line, "\n");
        if (*next) *next++ = 0;
        static struct mount_line mount;
        if (!take_line(line, &mount)) return fail_with(EINVAL, "a line of mountinfo that cannot be read");
        int result = judge(&mount, context);
        if (result != 0) return result;
    }
    return 0;
}

struct search {
    uint64_t root;                       // the new root's mount
    uint64_t ids[65536], parents[65536]; // of all mounts
    size_t count;
    uint64_t hidden;                     // a mount that another one keeps from being seen, 0 where there is none
    char hidden_path[PATH_MAX];
    bool changed;
};

static int note_mount(const struct mount_line *line, void *context) {
    struct search *search = context;
    if (search->count == sizeof search->ids / sizeof *search->ids) return fail_with(E2BIG, "too many mounts");
    search->ids[search->count] = line->id;
    search->parents[search->count++] = line->parent;
    return 0;
}

static bool is_known(const struct search *search, uint64_t id) {
    for (size_t at = 0; at < search->count; at++)
        if (search->ids[at] == id) return true;
    return false;
}

// Whether a mount is another one or lies in its tree, by its parents: a path says nothing of what is stacked.
static bool is_below(const struct search *search, uint64_t id, uint64_t other) {
    for (size_t steps = 0; steps <= search->count; steps++) {
        if (id == other) return true;
        size_t at = 0;
        while (at < search->count && search->ids[at] != id) at++;
        if (at == search->count || search->parents[at] == id) return false;
        id = search->parents[at];
    }
    return false;
}

// Neither the new root's own nor what it lies on.
static bool is_outside(const struct search *search, uint64_t id) {
    return !is_below(search, id, search->root) && !is_below(search, search->root, id);
}

// Its end must not be one on the host, too. False: it is locked in a user namespace, or not to be seen at its path.
static bool unmount(const char *path) {
    struct mount_attr alone = {.propagation = MS_PRIVATE};
    return mount_setattr(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, &alone, sizeof alone) == 0 &&
        umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0;
}

// Unmounts one of the kernel's, and before it what lies on top of it.
static int take_away(const struct mount_line *line, void *context) {
    struct search *search = context;
    if (!line->kernels || !is_outside(search, line->id)) return 0;
    for (;;) {
        uint64_t top = mount_at(AT_FDCWD, line->path, AT_SYMLINK_NOFOLLOW);
        if (!is_known(search, top) || !is_outside(search, top) || !unmount(line->path)) break;
        search->changed = true;
        if (top == line->id) return 0;
    }
    uint64_t top = mount_at(AT_FDCWD, line->path, AT_SYMLINK_NOFOLLOW);
    if (top != line->id && !search->hidden) {
        search->hidden = line->id;
        strcpy(search->hidden_path, line->path);
    }
    return 0;
}

// Unmounts what lies over a folder above the hidden one.
static int uncover(const struct mount_line *line, void *context) {
    struct search *search = context;
    size_t length = strlen(line->path);
    bool above = !strncmp(line->path, search->hidden_path, length) && search->hidden_path[length] == '/';
    if (above && is_outside(search, line->id) && !is_below(search, search->hidden, line->id) && unmount(line->path))
        search->changed = true;
    return 0;
}

// What is still there is covered, if it is to be seen; what is neither gone nor covered is an error.
static int cover(const struct mount_line *line, void *context) {
    struct search *search = context;
    if (!line->kernels || !is_outside(search, line->id)) return 0;
    uint64_t top = mount_at(AT_FDCWD, line->path, AT_SYMLINK_NOFOLLOW);
    if (top != 0 && !is_known(search, top)) return 0; // by one of these
    if (top != line->id) return fail_with(EBUSY, line->path);
    unsigned long flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
    return mount("tmpfs", line->path, "tmpfs", flags, "size=4k,nr_inodes=1") == 0 ? 0 : fail_with(errno, line->path);
}

int hide_kernel_mounts(int root) {
    static struct search search;
    search.root = mount_at(root, "", AT_EMPTY_PATH);
    // Opened before the procfs that it is on goes.
    int list = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
    if (search.root == 0 || list < 0) return list < 0 ? -1 : close_keeping_errno(list, -1);
    int result;
    do {
        search.changed = false;
        search.count = 0;
        search.hidden = 0;
        result = each_mount(list, note_mount, &search);
        if (result == 0) result = each_mount(list, take_away, &search);
        if (result == 0 && search.hidden) result = each_mount(list, uncover, &search);
    } while (result == 0 && search.changed);
    if (result == 0) result = each_mount(list, cover, &search);
    return close_keeping_errno(list, result);
}
