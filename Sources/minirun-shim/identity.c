// Who the process is: ids, groups, capabilities.

#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

// In a new user namespace, once its maps are written. Until here the process has the caller's ids, with which it may still
// reach the caller's files.
int step_become_root(struct shim *shim, const struct lp_step *step) {
    (void)shim;
    // Groups of the caller's that stayed would give what the container's user must not have (CVE-2018-7169 is why the kernel
    // forbids it where the map is an unprivileged user's).
    if (step->number[0] && syscall(SYS_setgroups, 0, NULL) != 0) return -1;
    return setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0 ? -1 : 0;
}

int step_bounding_set(struct shim *shim, const struct lp_step *step) {
    (void)shim;
    for (int capability = 0; capability < 64; capability++) {
        if (step->number[0] >> capability & 1) continue;
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) {
            if (errno == EINVAL) return 0; // past the last one that this kernel knows
            return -1;
        }
    }
    return 0;
}

static int set_capabilities(uint64_t effective, uint64_t permitted, uint64_t inheritable) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    for (int half = 0; half < 2; half++) {
        data[half].effective = (uint32_t)(effective >> (32 * half));
        data[half].permitted = (uint32_t)(permitted >> (32 * half));
        data[half].inheritable = (uint32_t)(inheritable >> (32 * half));
    }
    return (int)syscall(SYS_capset, &header, data);
}

// The permitted capabilities become effective again, which the change of user has ended: what comes between here and
// LP_CAPABILITIES (a filter without no_new_privs needs CAP_SYS_ADMIN) is still the shim's own.
int raise_permitted(void) { return set_effective(UINT64_MAX); }

// Of those that are permitted.
int set_effective(uint64_t effective) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &header, data) != 0) return -1;
    for (int half = 0; half < 2; half++) data[half].effective = data[half].permitted & (uint32_t)(effective >> (32 * half));
    return (int)syscall(SYS_capset, &header, data);
}

int step_ids(struct shim *shim, const struct lp_step *step) {
    // Capabilities survive the change of user until LP_CAPABILITIES sets them as they shall be.
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) return -1;
    const gid_t *groups = (const gid_t *)(const void *)(shim->plan + step->blob);
    // setgroups also when there are none: the engine's own groups must not stay (CVE-2022-36109 is the wider story).
    if (!step->number[3] &&
        syscall(SYS_setgroups, step->blob_size / sizeof(gid_t), step->blob_size ? groups : NULL) != 0) return -1;
    gid_t gid = (gid_t)step->number[1];
    uid_t uid = (uid_t)step->number[0];
    if (setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0) return -1;
    if (prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) != 0) return -1;
    shim->wanted_umask = step->number[2] == LP_KEEP_UMASK ? 022 : (uint32_t)step->number[2];
    // A folder that root could not enter (on a network's file system, say) may be the user's own.
    if (shim->late_folder && enter_folder(shim, text_of(shim, shim->folder, 0), false) != 0) return -1;
    return raise_permitted();
}

int step_capabilities(struct shim *shim, const struct lp_step *step) {
    (void)shim;
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) return -1;
    if (set_capabilities(step->number[0], step->number[1], step->number[2]) != 0) return -1;
    for (int capability = 0; capability < 64; capability++)
        if (step->number[3] >> capability & 1 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) != 0) return -1;
    return 0;
}
