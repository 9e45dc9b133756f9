// What the monitor does on the host before it clones the container: it opens what the container's user may not reach, makes
// id maps, and joins namespaces.

#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int step_hide(struct shim *shim, const struct lp_step *step) {
    (void)shim, (void)step;
    hide();
    return 0;
}

// Takes what a step has left in a slot; -1 where there is none.
int take_slot(struct shim *shim, uint64_t number) {
    if (number >= LP_SLOTS || shim->slots[number] < 0) return fail_with(EBADF, "an empty slot");
    int descriptor = shim->slots[number];
    shim->slots[number] = -1;
    return descriptor;
}

// Leaves a descriptor in a slot for a later step, which closes it.
int fill_slot(struct shim *shim, uint64_t number, int descriptor) {
    if (number < LP_SLOTS && shim->slots[number] < 0) {
        shim->slots[number] = descriptor;
        return 0;
    }
    close(descriptor);
    return fail_with(EBADF, "no such slot, or one that is taken");
}

// A file of a process on our own procfs; "self" is not meant.
static int open_of(pid_t pid, const char *name, int flags) {
    char path[64];
    struct text text = TEXT_IN(path);
    add_format(&text, "/proc/%d/%s", pid, name);
    return text.fits ? open(path, flags | O_CLOEXEC) : fail_with(ENAMETOOLONG, name);
}

// In one write: the kernel takes a map only whole.
static int write_and_close(int file, const char *text) {
    return file < 0 ? -1 : close_keeping_errno(file, write(file, text, strlen(text)) < 0 ? -1 : 0);
}

static int write_of(pid_t pid, const char *name, const char *text) { return write_and_close(open_of(pid, name, O_WRONLY), text); }

// A user namespace needs a process that is born into it; it lives no longer than its maps take, and not without us: the end of
// the pipe comes with our end, in whatever moment that is.
int step_id_map(struct shim *shim, const struct lp_step *step) {
    int alive[2];
    if (pipe2(alive, O_CLOEXEC) != 0) return -1;
    struct clone_args arguments = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
    long pid = syscall(SYS_clone3, &arguments, sizeof arguments);
    if (pid == 0) {
        char byte;
        close(alive[1]);
        while (read(alive[0], &byte, 1) < 0 && errno == EINTR) {}
        _exit(0);
    }
    close_keeping_errno(alive[0], 0);
    if (pid < 0) return close_keeping_errno(alive[1], -1);
    int namespace = -1, code;
    if (write_of((pid_t)pid, "uid_map", text_of(shim, step, 0)) == 0 && write_of((pid_t)pid, "gid_map", text_of(shim, step, 1)) == 0)
        namespace = open_of((pid_t)pid, "ns/user", O_RDONLY);
    code = errno;
    close(alive[1]);
    while (waitpid((pid_t)pid, NULL, 0) < 0 && errno == EINTR) {}
    errno = code;
    return namespace < 0 ? -1 : fill_slot(shim, step->number[0], namespace);
}

// Gives a tree, which nobody has seen yet, the id map that an LP_BIND or LP_OPEN_TREE names, if there is one.
int map_tree(struct shim *shim, int tree, const struct lp_step *step) {
    if (!step->number[5]) return 0;
    int map = take_slot(shim, step->number[5] - 1);
    if (map < 0) return -1;
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (__u64)map};
    // The id map of submounts only where it was asked for: a recursive bind alone keeps theirs.
    unsigned int flags = AT_EMPTY_PATH | (step->number[2] & LP_BIND_MAP_RECURSIVE ? AT_RECURSIVE : 0);
    return close_keeping_errno(map, mount_setattr(tree, "", flags, &attributes, sizeof attributes));
}

int step_open_tree(struct shim *shim, const struct lp_step *step) {
    int tree = open_bind_source(text_of(shim, step, 0), step->number[2]);
    if (tree < 0) return -1;
    if (map_tree(shim, tree, step) != 0 || change_tree(tree, step) != 0) return close_keeping_errno(tree, -1);
    return fill_slot(shim, step->number[4], tree);
}

int step_time_offsets(struct shim *shim, const struct lp_step *step) {
    if (unshare(0x80 /* CLONE_NEWTIME */) != 0) return -1;
    const char *offsets = text_of(shim, step, 0);
    // Before the first process is in it: then the kernel takes them no more.
    return *offsets ? write_and_close(open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC), offsets) : 0;
}

// Joins what it can in the given order, and once more what was refused: a namespace of the host's needs our present rights,
// which joining a user namespace takes away; one that belongs to that user namespace needs those that it gives.
static int join_all(struct shim *shim) {
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < shim->join_count; i++) {
            struct join *join = &shim->joins[i];
            if (join->done || (join->flags == CLONE_NEWUSER && round == 0)) continue;
            if (setns(join->descriptor, join->flags) == 0) join->done = true;
            else if (errno != EPERM || round == 1) return -1;
        }
        for (uint32_t i = 0; i < shim->join_count && round == 0; i++) {
            struct join *join = &shim->joins[i];
            if (join->flags != CLONE_NEWUSER) continue;
            if (setns(join->descriptor, join->flags) != 0) return -1;
            join->done = true;
        }
    }
    return 0;
}

int step_join(struct shim *shim, const struct lp_step *step) {
    if (step->number[1] >= shim->descriptor_count || shim->join_count == LP_DESCRIPTORS) return fail_with(EBADF, "");
    shim->joins[shim->join_count++] =
        (struct join){.descriptor = shim->descriptors[step->number[1]], .flags = (int)step->number[0]};
    // Together, as only the last of them knows what there is.
    if (shim->current + 1 < shim->header->step_count && shim->steps[shim->current + 1].operation == LP_JOIN) return 0;
    return join_all(shim);
}

// The last step: makes the child, tells the engine of it, and ends.
int step_clone_child(struct shim *shim, const struct lp_step *step) {
    const char *cgroup = text_of(shim, step, 0);
    int pidfd = -1;
    pid_t child = clone_child(shim, step->number[0] | CLONE_PARENT, *cgroup ? cgroup : NULL, &pidfd);
    struct lp_message message = {.kind = LP_MESSAGE_BORN, .status = child};
    if (send_message(shim, &message, pidfd) == 0) _exit(0);
    // The child holds the control socket, too: it would wait for a plan, and the engine for word of it.
    int code = errno;
    syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
    errno = code;
    return -1;
}
