// What the shim's files share. The shim is started by the engine with a launch plan and becomes first the monitor and, in a
// clone, the container; launch_plan.h draws the protocol.
//
// It allocates nothing, uses no stdio and never returns to C++ or Swift: everything here may run with signals blocked in a
// process that is about to become somebody else's.
#ifndef MINIRUN_SHIM_H
#define MINIRUN_SHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "launch_plan.h"
#include "text.h"

// A namespace to join, or a process whose namespaces to join (setns(2)).
struct join {
    int descriptor;
    int flags;
    bool done;
};

// The plan and what the walk has opened so far. One per process; the child's is a copy of the monitor's.
struct shim {
    const char *plan;           // the block of memory, read-only
    const struct lp_header *header;
    const struct lp_step *steps;
    uint64_t clone_flags;       // CLONE_NEW* with which the child was cloned
    uint32_t phase;             // 0: the monitor prepares, 1: the child (or a monitor with nothing to prepare)
    uint32_t current;           // the step that is being walked, for the report of a failure
    int control;                // the socket to the engine
    unsigned int own;           // the first number that none of the caller's descriptors has
    bool tidied;                // before the container's filter was loaded all that is not needed any more was closed
    int root;                   // O_PATH descriptor of the new root, -1 before it is mounted
    int barrier;                // this side's end of the socket pair between monitor and child; -1 where no monitor stays
    int mask;                   // the file system that covers masked folders, as far as the pivot; -1 where there is none
    int layers[LP_LAYERS];      // descriptors of LP_LAYER
    uint32_t layer_count;
    int descriptors[LP_DESCRIPTORS]; // those that came with the plan
    uint32_t descriptor_count;
    int slots[LP_SLOTS];        // what one step has opened for another; -1 where there is nothing
    struct join joins[LP_DESCRIPTORS];
    uint32_t join_count;
    bool new_time;              // the child is to be born into the new time namespace
    struct {
        int file;               // below /proc/self/attr
        const char *value;
    } attributes[4];            // of LP_ATTRIBUTE, for LP_EXEC
    uint32_t attribute_count;
    bool late_folder;           // the working folder could not be entered as root: LP_IDS tries again
    const struct lp_step *folder; // that LP_WORKING_FOLDER
    char home[256];             // "HOME=…" of LP_HOME, or empty
    uint32_t wanted_umask;
};

// A step: 0, or -1 with errno set. `detail` of the report is set by fail_with.
typedef int step_function(struct shim *shim, const struct lp_step *step);

int fail_with(int code, const char *detail);
// A failure that is passed over: a later one of the same step must not be told with its detail.
void forget_failure(void);
_Noreturn void report_failure(struct shim *shim, int code);
uint64_t now(void);
int send_message(const struct shim *shim, struct lp_message *message, int descriptor);
void hide(void);
bool wait_for_go(const struct shim *shim);

// in_root.c: paths inside the new root, which an image or a container may have made
int open_in_root(const struct shim *shim, const char *path, int flags);
int open_target(const struct shim *shim, const char *path, bool folder);
int open_parent(const struct shim *shim, const char *path, const char **name);

// descriptors.c: what a program or an init of the container must not have
int tidy(struct shim *shim);
int close_at_exec(const struct shim *shim, unsigned int first);
int let_go(struct shim *shim, int kept);

// prepare.c: what the monitor does before it clones
step_function step_hide, step_id_map, step_open_tree, step_time_offsets, step_join, step_clone_child;
pid_t clone_child(struct shim *shim, uint64_t flags, const char *cgroup_path, int *pidfd);
int open_bind_source(const char *source, uint64_t flags);
int map_tree(struct shim *shim, int tree, const struct lp_step *step);
int change_tree(int tree, const struct lp_step *step);
int take_slot(struct shim *shim, uint64_t number);
int fill_slot(struct shim *shim, uint64_t number, int descriptor);
int close_keeping_errno(int fd, int result);

// plan.c: the plan as it came, and what its steps point at
bool is_plan(const char *plan, size_t size, uint32_t descriptors);
void load_plan(struct shim *shim, int file);
const char *text_of(const struct shim *shim, const struct lp_step *step, int index);
char **list_of(const struct shim *shim, uint32_t offset, char **space, size_t capacity);

// The others, by file; mounts.c, copy_up.c, devices.c, streams.c, process.c, identity.c, seccomp.c, exec.c, hooks.c,
// start.c, console.c, init.c
step_function step_propagation, step_layer, step_overlay, step_root_folder, step_file_system, step_bind, step_attach,
    step_remount, step_mask, step_read_only, step_folder, step_root_read_only, step_pivot_root;
int copy_up(int from, int to);
int hide_kernel_mounts(int root);
step_function step_link, step_device, step_sysctl;
step_function step_own_streams;
step_function step_console;
step_function step_new_session, step_keyring, step_loopback, step_oom_score, step_barrier, step_enter_cgroup, step_unshare,
    step_hostname, step_domainname, step_rlimit, step_own_pipes, step_working_folder, step_no_new_privileges, step_seccomp,
    step_personality, step_scheduler, step_io_priority, step_affinity, step_memory_policy;
int enter_folder(struct shim *shim, const char *path, bool create);
step_function step_become_root, step_bounding_set, step_ids, step_capabilities;
int raise_permitted(void);
int set_effective(uint64_t effective);
step_function step_home, step_find_program, step_attribute, step_exec;
void add_home(const struct shim *shim, char **environment);
step_function step_hook;
step_function step_start;
step_function step_init;

#endif
