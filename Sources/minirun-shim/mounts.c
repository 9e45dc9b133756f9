// The mount tree: root, file systems, binds, masks. Detached mounts are made first and moved onto a held descriptor, so no
// path is looked up twice.

#include "shim.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

static int set_attributes(int mount, uint64_t set, uint64_t clear, uint64_t propagation, bool recursive) {
    struct mount_attr attributes = {.attr_set = set, .attr_clr = clear, .propagation = propagation};
    return mount_setattr(mount, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attributes, sizeof attributes);
}

// Moves a detached mount onto `target` and closes both.
static int attach(int mount, int target) {
    int result = move_mount(mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
    close_keeping_errno(target, 0);
    return close_keeping_errno(mount, result);
}

int step_propagation(struct shim *shim, const struct lp_step *step) {
    return mount(NULL, text_of(shim, step, 0), NULL, (unsigned long)step->number[0], NULL);
}

int step_layer(struct shim *shim, const struct lp_step *step) {
    if (shim->layer_count == LP_LAYERS) return fail_with(E2BIG, "the kernel's overlayfs takes 500 layers");
    int fd = open(text_of(shim, step, 0), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return -1;
    shim->layers[shim->layer_count++] = fd;
    return 0;
}

// Passes "a=b,c" to the file system context, one fsconfig each. A key may not hold `=` or `,`; a value may hold `=`.
static int configure(int context, const char *options) {
    char word[256];
    while (*options) {
        size_t length = strcspn(options, ",");
        struct text text = TEXT_IN(word);
        add_bytes(&text, options, length);
        if (!text.fits) return fail_with(EINVAL, "an option of over 255 bytes");
        char *value = strchr(word, '=');
        if (value) *value++ = 0;
        if (fsconfig(context, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, word, value, 0) != 0)
            return fail_with(errno, word);
        options += length + (options[length] == ',');
    }
    return 0;
}

// An open folder as a path: short, and safe from `:` and `,` in a name.
static void add_path(struct text *text, int folder) { add_format(text, "/proc/self/fd/%d", folder); }

// What mount(2) takes for the overlay, in the one page that the kernel reads of it.
static void add_overlay_options(const struct shim *shim, struct text *options, int upper, int work, const char *more) {
    add(options, "lowerdir=");
    for (uint32_t i = 0; i < shim->layer_count; i++) {
        if (i) add(options, ":");
        add_path(options, shim->layers[i]);
    }
    if (upper >= 0) {
        add(options, ",upperdir=");
        add_path(options, upper);
        add(options, ",workdir=");
        add_path(options, work);
    }
    if (*more) add_format(options, ",%s", more);
}

static int set_folder(int context, const char *key, int folder) {
    char path[32];
    struct text text = TEXT_IN(path);
    add_path(&text, folder);
    return text.fits ? fsconfig(context, FSCONFIG_SET_STRING, key, path, 0) : fail_with(ENAMETOOLONG, key);
}

// The overlay as a detached mount, with its layers one by one, which Linux knows from 6.7 on: that has no limit but overlayfs's.
static int make_overlay(const struct shim *shim, int upper, int work, const char *more) {
    static const char limit[] = "this kernel takes as many layers as fit into a page, about 200; Linux 6.7 and later take 500";
    int context = fsopen("overlay", FSOPEN_CLOEXEC);
    if (context < 0) return errno == ENOSYS || errno == EPERM ? fail_with(E2BIG, limit) : -1;
    for (uint32_t i = 0; i < shim->layer_count; i++) {
        if (set_folder(context, "lowerdir+", shim->layers[i]) == 0) continue;
        close_keeping_errno(context, 0);
        return errno == EINVAL || errno == ENOSYS || errno == EPERM ? fail_with(E2BIG, limit) : -1;
    }
    bool configured = upper >= 0 ? set_folder(context, "upperdir", upper) == 0 && set_folder(context, "workdir", work) == 0
                                 : fsconfig(context, FSCONFIG_SET_FLAG, "ro", NULL, 0) == 0;
    if (!configured || configure(context, more) != 0 || fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) != 0)
        return close_keeping_errno(context, -1);
    return close_keeping_errno(context, fsmount(context, FSMOUNT_CLOEXEC, upper < 0 ? MOUNT_ATTR_RDONLY : 0U));
}

// By one mount(2) where the layers fit, which is the quickest and what every kernel knows.
static int mount_overlay(const struct shim *shim, const char *target, int upper, int work, const char *more) {
    char options[4096];
    struct text text = TEXT_IN(options);
    add_overlay_options(shim, &text, upper, work, more);
    if (text.fits) return mount("overlay", target, "overlay", upper < 0 ? (unsigned long)MS_RDONLY : 0, options);
    int overlay = make_overlay(shim, upper, work, more);
    if (overlay < 0) return -1;
    return close_keeping_errno(overlay, move_mount(overlay, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH));
}

int step_overlay(struct shim *shim, const struct lp_step *step) {
    const char *target = text_of(shim, step, 0), *upper = text_of(shim, step, 1);
    int upper_fd = -1, work_fd = -1;
    if (*upper) {
        upper_fd = open(upper, O_PATH | O_DIRECTORY | O_CLOEXEC);
        work_fd = open(text_of(shim, step, 2), O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (upper_fd < 0 || work_fd < 0) return -1;
    }
    if (mount_overlay(shim, target, upper_fd, work_fd, text_of(shim, step, 3)) != 0) return -1;
    if (upper_fd >= 0) close(upper_fd), close(work_fd);
    while (shim->layer_count) close(shim->layers[--shim->layer_count]);
    shim->root = open(target, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return shim->root < 0 ? -1 : 0;
}

int step_root_folder(struct shim *shim, const struct lp_step *step) {
    const char *path = text_of(shim, step, 0);
    if (step->number[0] == LP_ROOT_CHANGE) {
        shim->root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        return shim->root < 0 ? -1 : 0;
    }
    // pivot_root wants a mount point: the folder is bound onto itself.
    int tree = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    if (tree < 0) return -1;
    int target = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (target < 0) return close_keeping_errno(tree, -1);
    if (attach(tree, target) != 0) return -1;
    shim->root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return shim->root < 0 ? -1 : 0;
}

// Opens the target of a mount that somebody chose. A link of the image could lead it onto the kernel's own files although its
// path does not look so: something over /proc or /sys makes programs, and the steps that mask, write to what is not the kernel's
// (CVE-2019-16884). A path below /proc or /sys has been judged in Swift.
static int open_chosen_target(const struct shim *shim, const char *path, bool folder) {
    int target = open_target(shim, path, folder);
    if (target < 0 || !strncmp(path, "/proc/", 6) || !strncmp(path, "/sys/", 5)) return target;
    struct statfs status;
    if (fstatfs(target, &status) == 0)
        switch (status.f_type) {
        case PROC_SUPER_MAGIC: case SYSFS_MAGIC: case CGROUP_SUPER_MAGIC: case CGROUP2_SUPER_MAGIC: break;
        default: return target;
        }
    close(target);
    return fail_with(EINVAL, "it leads into /proc or /sys");
}

// A detached mount of a new file system, or -1. `mode`, if there is one, is one more option.
static int make_file_system(const char *type, const char *source, const char *options, const char *mode, unsigned int attributes) {
    int context = fsopen(type, FSOPEN_CLOEXEC);
    if (context < 0) return -1;
    if ((*source && fsconfig(context, FSCONFIG_SET_STRING, "source", source, 0) != 0) || configure(context, options) != 0 ||
        (*mode && fsconfig(context, FSCONFIG_SET_STRING, "mode", mode, 0) != 0) ||
        fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) != 0)
        return close_keeping_errno(context, -1);
    return close_keeping_errno(context, fsmount(context, FSMOUNT_CLOEXEC, attributes));
}

// An image whose /proc or /sys is a link would get it mounted elsewhere, and writes meant for the real one would go to files of
// the image's choice (CVE-2019-19921, CVE-2023-27561).
static int open_plain_target(const struct shim *shim, const char *path) {
    const char *name;
    int parent = open_parent(shim, path, &name);
    if (parent < 0) return -1;
    if (mkdirat(parent, name, 0755) != 0 && errno != EEXIST) return close_keeping_errno(parent, -1);
    int target = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    close_keeping_errno(parent, 0);
    return target < 0 ? fail_with(errno, "must be mounted on ordinary directory") : target;
}

// A tmpfs without a mode takes that of the folder it covers, as programs expect of /tmp or /run; one that had to be created
// keeps the file system's own 1777.
static void add_mode_of_tmpfs(struct text *mode, const char *options, int target) {
    struct stat status;
    if (!strncmp(options, "mode=", 5) || strstr(options, ",mode=") || fstat(target, &status) != 0) return;
    add_format(mode, "%o", (unsigned int)status.st_mode & 07777);
}

int step_file_system(struct shim *shim, const struct lp_step *step) {
    const char *type = text_of(shim, step, 0), *path = text_of(shim, step, 1), *options = text_of(shim, step, 3);
    const char *instead = text_of(shim, step, 4);
    char space[16];
    struct text mode = TEXT_IN(space);
    int target;
    if (!strcmp(type, "proc") || !strcmp(type, "sysfs")) {
        target = open_plain_target(shim, path);
        if (target < 0) return -1;
    } else {
        int before = open_in_root(shim, path, O_PATH | O_DIRECTORY);
        if (before >= 0) close(before);
        target = open_chosen_target(shim, path, true);
        if (target < 0) return -1;
        if (!strcmp(type, "tmpfs") && before >= 0) add_mode_of_tmpfs(&mode, options, target);
    }
    int mount = make_file_system(type, text_of(shim, step, 2), options, space, (unsigned int)step->number[0]);
    // What a user namespace may not mount anew it may still show as it is on the host: with a host's network, its /sys.
    if (mount < 0 && *instead && (errno == EPERM || errno == EBUSY)) {
        forget_failure();
        mount = open_tree(AT_FDCWD, instead, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
        if (mount >= 0 && set_attributes(mount, step->number[0], 0, MS_PRIVATE, false) != 0)
            mount = close_keeping_errno(mount, -1);
    }
    if (mount < 0) return close_keeping_errno(target, -1);
    if (step->number[1] & LP_MOUNT_COPY_UP) {
        int from = openat(target, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int result = from < 0 ? -1 : copy_up(from, mount);
        if (from >= 0) close_keeping_errno(from, 0);
        if (result != 0) {
            close_keeping_errno(target, 0);
            return close_keeping_errno(mount, -1);
        }
    }
    if (step->number[2] && set_attributes(mount, 0, 0, step->number[2], false) != 0) {
        close_keeping_errno(target, 0);
        return close_keeping_errno(mount, -1);
    }
    return attach(mount, target);
}

// A detached mount of a folder or file of the host.
int open_bind_source(const char *source, uint64_t flags) {
    unsigned int clone = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (flags & LP_BIND_RECURSIVE ? AT_RECURSIVE : 0) |
        (flags & LP_BIND_OWN_LINK ? AT_SYMLINK_NOFOLLOW : 0);
    int tree = open_tree(AT_FDCWD, source, clone);
    if (tree >= 0 || errno != ENOENT || !(flags & LP_BIND_MAKE_FOLDER)) return tree;
    char path[4096];
    struct text text = TEXT_IN(path);
    add(&text, source);
    if (!text.fits || !text.length) return fail_with(ENAMETOOLONG, source);
    for (char *at = path + 1; (at = strchr(at, '/')); *at++ = '/') {
        *at = 0;
        mkdir(path, 0755);
    }
    if (mkdir(path, 0755) != 0 && errno != EEXIST) return -1;
    return open_tree(AT_FDCWD, source, clone);
}

// Whether a tree has attributes that a step would clear and must not: those that the host has given a mount are not the
// container's root's to take away, as the kernel has it where that asks.
static bool would_unlock(int tree, const struct lp_step *step) {
    struct statvfs status;
    if (!(step->number[2] & LP_BIND_KEEP_LOCKED) || fstatvfs(tree, &status) != 0) return false;
    static const struct { unsigned long flag; uint64_t attribute; } locked[] = {
        {ST_RDONLY, MOUNT_ATTR_RDONLY}, {ST_NOSUID, MOUNT_ATTR_NOSUID}, {ST_NODEV, MOUNT_ATTR_NODEV}, {ST_NOEXEC, MOUNT_ATTR_NOEXEC}};
    for (size_t i = 0; i < sizeof locked / sizeof *locked; i++)
        if (status.f_flag & locked[i].flag && (step->number[1] | step->number[7]) & locked[i].attribute) return true;
    if (!(step->number[1] & MOUNT_ATTR__ATIME)) return false;
    // Access times are locked as a whole, whatever they are.
    uint64_t set = step->number[0];
    unsigned long wanted = set & MOUNT_ATTR_NOATIME ? ST_NOATIME : set & MOUNT_ATTR_STRICTATIME ? 0 : ST_RELATIME;
    if (set & MOUNT_ATTR_NODIRATIME) wanted |= ST_NODIRATIME;
    return (status.f_flag & (ST_NOATIME | ST_NODIRATIME | ST_RELATIME)) != wanted;
}

// Gives a tree the propagation and attributes of an LP_BIND, LP_OPEN_TREE or LP_REMOUNT.
int change_tree(int tree, const struct lp_step *step) {
    const uint64_t *number = step->number;
    if (would_unlock(tree, step)) return fail_with(EPERM, "the host has locked what this would change");
    // Before anything else, of the whole tree: a mount event of the host must not reach the container by default, nor the
    // other way.
    if (number[3] && set_attributes(tree, 0, 0, number[3], !(number[2] & LP_BIND_ONE_PROPAGATION)) != 0) return -1;
    if ((number[6] | number[7]) && set_attributes(tree, number[6], number[7], 0, true) != 0) return -1;
    return (number[0] | number[1]) ? set_attributes(tree, number[0], number[1], 0, false) : 0;
}

// Moves a tree onto its target in the root, which is created where it is missing: as what the tree is.
static int attach_tree(struct shim *shim, int tree, const char *path, uint64_t flags) {
    struct stat status;
    if (fstat(tree, &status) != 0) return close_keeping_errno(tree, -1);
    bool folder = S_ISDIR(status.st_mode);
    int target = flags & LP_BIND_OWN_LINK && S_ISLNK(status.st_mode) ? open_in_root(shim, path, O_PATH | O_NOFOLLOW)
                                                                    : open_chosen_target(shim, path, folder);
    if (target < 0) return close_keeping_errno(tree, -1);
    if (fstat(target, &status) == 0 && !folder && S_ISDIR(status.st_mode)) {
        // The kernel's own answer would be EINVAL, which says nothing.
        close_keeping_errno(target, 0);
        errno = ENOTDIR;
        return close_keeping_errno(tree, -1);
    }
    return attach(tree, target);
}

// Whether an open folder has nothing in it, or -1.
static int is_empty(int folder) {
    char buffer[4096] __attribute__((aligned(8)));
    int names = 0;
    long size;
    while ((size = syscall(SYS_getdents64, folder, buffer, sizeof buffer)) > 0)
        for (long at = 0; at < size; at += ((struct dirent64 *)(void *)(buffer + at))->d_reclen) names++;
    // The folder itself and the one above.
    return size < 0 || lseek(folder, 0, SEEK_SET) < 0 ? -1 : names <= 2;
}

// Gives a volume that is still empty what the image has at its place, and that folder's owner and mode. The image's folder is
// opened in the root, so that no link of it leads out.
static int fill_volume(const struct shim *shim, int tree, const char *path) {
    int from = open_in_root(shim, path, O_RDONLY | O_DIRECTORY);
    // What is no folder attach_tree refuses.
    if (from < 0) return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
    int to = openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (to < 0) return close_keeping_errno(from, -1);
    struct stat status;
    int result = is_empty(to);
    if (result == 1) result = fstat(from, &status) != 0 || copy_up(from, to) != 0 ? -1 : fchmod(to, status.st_mode & 07777);
    close_keeping_errno(to, 0);
    return close_keeping_errno(from, result);
}

int step_bind(struct shim *shim, const struct lp_step *step) {
    int tree = open_bind_source(text_of(shim, step, 0), step->number[2]);
    if (tree < 0) return -1;
    // Before the tree becomes read-only.
    if (step->number[2] & LP_BIND_COPY_UP && fill_volume(shim, tree, text_of(shim, step, 1)) != 0)
        return close_keeping_errno(tree, -1);
    if (map_tree(shim, tree, step) != 0 || change_tree(tree, step) != 0) return close_keeping_errno(tree, -1);
    return attach_tree(shim, tree, text_of(shim, step, 1), step->number[2]);
}

int step_attach(struct shim *shim, const struct lp_step *step) {
    int tree = take_slot(shim, step->number[4]);
    return tree < 0 ? -1 : attach_tree(shim, tree, text_of(shim, step, 1), step->number[2]);
}

int step_remount(struct shim *shim, const struct lp_step *step) {
    int target = open_in_root(shim, text_of(shim, step, 1), O_PATH);
    if (target < 0) return -1;
    return close_keeping_errno(target, change_tree(target, step));
}

int step_mask(struct shim *shim, const struct lp_step *step) {
    int target = open_in_root(shim, text_of(shim, step, 0), O_PATH);
    if (target < 0) return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
    struct stat status;
    if (fstat(target, &status) != 0) return close_keeping_errno(target, -1);
    int cover;
    if (S_ISDIR(status.st_mode)) {
        // One empty file system for all of them; the first is kept open as far as the pivot, and the others are its clones.
        if (shim->mask < 0) {
            cover = make_file_system("tmpfs", "tmpfs", "nr_inodes=1,size=4k", "", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
            shim->mask = cover < 0 ? -1 : fcntl(cover, F_DUPFD_CLOEXEC, 3);
        } else {
            cover = open_tree(shim->mask, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
        }
    } else {
        // The container's own /dev/null, which must be the real one: an image or a volume could have put a link or a file
        // there, and the bind would then open what it leads to (CVE-2025-31133).
        int null = open_in_root(shim, "/dev/null", O_PATH | O_NOFOLLOW);
        if (null < 0) return close_keeping_errno(target, -1);
        if (fstat(null, &status) != 0 || !S_ISCHR(status.st_mode) || status.st_rdev != makedev(1, 3)) {
            close(null);
            close(target);
            return fail_with(EINVAL, "/dev/null in the container is not the null device");
        }
        cover = open_tree(null, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
        close_keeping_errno(null, 0);
    }
    if (cover < 0) return close_keeping_errno(target, -1);
    return attach(cover, target);
}

int step_read_only(struct shim *shim, const struct lp_step *step) {
    int target = open_in_root(shim, text_of(shim, step, 0), O_PATH);
    if (target < 0) return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
    int tree = open_tree(target, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
    if (tree < 0) return close_keeping_errno(target, -1);
    if (set_attributes(tree, MOUNT_ATTR_RDONLY, 0, 0, true) != 0) {
        close_keeping_errno(tree, 0);
        return close_keeping_errno(target, -1);
    }
    return attach(tree, target);
}

// The working folder, which LP_WORKING_FOLDER enters from inside and then makes no more: what is wrong with it is said there.
int step_folder(struct shim *shim, const struct lp_step *step) {
    int folder = open_target(shim, text_of(shim, step, 0), true);
    if (folder >= 0) close(folder);
    return 0;
}

int step_root_read_only(struct shim *shim, const struct lp_step *step) {
    (void)step;
    return set_attributes(shim->root, MOUNT_ATTR_RDONLY, 0, 0, false);
}

// Where pivot_root(2) cannot be used (the root is an initramfs) the new root is moved over the old one. Whoever breaks out of
// a chroot finds the old one below: so nothing of the kernel's file systems stays mounted in it.
static int move_root(const struct shim *shim) {
    if (hide_kernel_mounts(shim->root) != 0) return -1;
    return move_mount(shim->root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) != 0 || fchdir(shim->root) != 0 ||
        chroot(".") != 0 ? -1 : 0;
}

int step_pivot_root(struct shim *shim, const struct lp_step *step) {
    if (shim->mask >= 0) close(shim->mask);
    shim->mask = -1;
    int old = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (old < 0 || fchdir(shim->root) != 0) return -1;
    if (step->number[0] == LP_ROOT_MOVE) {
        if (move_root(shim) != 0) return -1;
    } else if (step->number[0] == LP_ROOT_CHANGE) {
        if (chroot(".") != 0) return -1;
    } else {
        // The old root lands on top of the new one ("." on "."), where it is unmounted: no folder is needed for it.
        if (syscall(SYS_pivot_root, ".", ".") != 0) return -1;
        // From the old root's own folder: by another "." it would be the new one that is meant. Its unmounting must not reach the
        // host's mounts.
        if (fchdir(old) != 0 || mount(NULL, ".", NULL, MS_REC | MS_SLAVE, NULL) != 0) return -1;
        if (umount2(".", MNT_DETACH) != 0) return -1;
    }
    if (chdir("/") != 0) return -1;
    close(old);
    close(shim->root);
    shim->root = -1;
    return 0;
}
