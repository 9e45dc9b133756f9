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

// The plan and what the walk has opened so far. One per process; the child's is a copy of the monitor's.
struct shim {
    const char *plan;           // the block of memory, read-only
    const struct lp_header *header;
    const struct lp_step *steps;
    uint64_t clone_flags;       // CLONE_NEW* with which the child was cloned
    uint32_t current;           // the step that is being walked, for the report of a failure
    int root;                   // O_PATH descriptor of the new root, -1 before it is mounted
    int barrier;                // this side's end of the socket pair between monitor and child
    int layers[512];            // descriptors of LP_LAYER
    uint32_t layer_count;
    uint32_t wanted_umask;
};

// A step: 0, or -1 with errno set. `detail` of the report is set by fail_with.
typedef int step_function(struct shim *shim, const struct lp_step *step);

const char *text_of(const struct shim *shim, const struct lp_step *step, int index);
int fail_with(int code, const char *detail);
_Noreturn void report_failure(struct shim *shim, int code);
uint64_t now(void);
int send_message(struct lp_message *message, int descriptor);

// in_root.c: paths inside the new root, which an image or a container may have made
int open_in_root(const struct shim *shim, const char *path, int flags);
int open_target(const struct shim *shim, const char *path, bool folder);
int open_parent(const struct shim *shim, const char *path, const char **name);

// mounts.c, devices.c, streams.c, process.c, console.c, init.c
step_function step_propagation, step_layer, step_overlay, step_root_folder, step_file_system, step_bind, step_mask,
    step_read_only, step_root_read_only, step_pivot_root;
step_function step_link, step_device, step_sysctl;
step_function step_own_streams;
step_function step_console;
step_function step_new_session, step_loopback, step_oom_score, step_barrier, step_enter_cgroup, step_unshare, step_hostname, step_domainname,
    step_rlimit, step_own_pipes, step_working_folder, step_no_new_privileges, step_seccomp, step_bounding_set, step_ids,
    step_capabilities, step_exec;
step_function step_init;

#endif
