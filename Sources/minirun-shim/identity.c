// Who the process is: ids, groups, capabilities.

#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static void sort_ids(gid_t *ids, size_t count) {
    for (size_t gap = count / 2; gap > 0; gap /= 2)
        for (size_t i = gap; i < count; i++)
            for (size_t at = i; at >= gap && ids[at - gap] > ids[at]; at -= gap) {
                gid_t id = ids[at];
                ids[at] = ids[at - gap];
                ids[at - gap] = id;
            }
}

// Whether the process is who it was made: a call that changes nothing is no error to the kernel (an id of -1), and a filter
// around us may answer 0 for one that was never made (CVE-2024-40635). `count` is -1 where groups are not ours to set.
static bool is_identity(uid_t uid, gid_t gid, const gid_t *groups, ssize_t count) {
    static gid_t found[65536], wanted[65536]; // NGROUPS_MAX
    uid_t uids[3];
    gid_t gids[3];
    if (getresuid(&uids[0], &uids[1], &uids[2]) != 0 || getresgid(&gids[0], &gids[1], &gids[2]) != 0) return false;
    for (int i = 0; i < 3; i++)
        if (uids[i] != uid || gids[i] != gid) return false;
    if (count < 0) return true;
    if (getgroups(sizeof found / sizeof *found, found) != count) return false;
    size_t size = (size_t)count * sizeof *wanted;
    if (count > 0) memcpy(wanted, groups, size);
    sort_ids(wanted, (size_t)count); // as the kernel has done
    return memcmp(found, wanted, size) == 0;
}

// In a new user namespace, once its maps are written. Until here the process has the caller's ids, with which it may still
// reach the caller's files.
int step_become_root(struct shim *shim, const struct lp_step *step) {
    (void)shim;
    // Groups of the caller's that stayed would give what the container's user must not have (CVE-2018-7169 is why the kernel
    // forbids it where the map is an unprivileged user's).
    if (step->number[0] && syscall(SYS_setgroups, 0, NULL) != 0) return -1;
    if (setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0) return -1;
    return is_identity(0, 0, NULL, step->number[0] ? 0 : -1) ? 0 : fail_with(EPERM, "the ids are not those that were set");
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
    // 4294967295 means "leave it as it is" to the kernel, and that would be root.
    if (step->number[0] > INT32_MAX || step->number[1] > INT32_MAX) return fail_with(EINVAL, "an id beyond 2147483647");
    // Capabilities survive the change of user until LP_CAPABILITIES sets them as they shall be.
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) return -1;
    const gid_t *groups = (const gid_t *)(const void *)(shim->plan + step->blob);
    size_t count = step->blob_size / sizeof(gid_t);
    for (size_t i = 0; i < count; i++)
        if (groups[i] > INT32_MAX) return fail_with(EINVAL, "a group beyond 2147483647");
    // setgroups also when there are none: the engine's own groups must not stay (CVE-2022-36109 is the wider story).
    if (!step->number[3] && syscall(SYS_setgroups, count, count ? groups : NULL) != 0) return -1;
    gid_t gid = (gid_t)step->number[1];
    uid_t uid = (uid_t)step->number[0];
    if (setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0) return -1;
    if (!is_identity(uid, gid, groups, step->number[3] ? -1 : (ssize_t)count))
        return fail_with(EPERM, "the ids are not those that were set");
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
