// `report`: settings of this process that no file of procfs shows in one place.
#include "guest.h"

#include <errno.h>
#include <linux/ioprio.h>
#include <linux/keyctl.h>
#include <linux/mempolicy.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

// sched_getattr(2), which glibc 2.36 has no name for.
static void report_scheduler(void)
{
    static const char *const policies[] = {"other", "fifo", "rr", "batch", "iso", "idle", "deadline"};
    struct { uint32_t size, policy; uint64_t flags; int32_t nice; uint32_t priority; uint64_t runtime, deadline, period; }
        attributes = {.size = sizeof attributes};
    cpu_set_t processors;
    char list[512] = "";
    json_open_object("scheduler");
    if (syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) == 0) {
        json_text("policy", attributes.policy < 7 ? policies[attributes.policy] : NULL);
        json_number("flags", (long long)attributes.flags);
        json_number("nice", attributes.nice);
        json_number("priority", attributes.priority);
        json_number("runtime", (long long)(attributes.policy == 6 ? attributes.runtime : 0));
        json_number("deadline", (long long)attributes.deadline);
        json_number("period", (long long)attributes.period);
    }
    if (sched_getaffinity(0, sizeof processors, &processors) == 0)
        for (int i = 0; i < CPU_SETSIZE; i++)
            if (CPU_ISSET(i, &processors) && strlen(list) < sizeof list - 8)
                sprintf(list + strlen(list), "%s%d", *list ? "," : "", i);
    json_text("processors", list);
    json_close();
}

static void report_io_priority(void)
{
    long value = syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0);
    json_open_object("io_priority");
    json_number("class", value < 0 ? -1 : (long long)IOPRIO_PRIO_CLASS(value));
    json_number("level", value < 0 ? -1 : (long long)IOPRIO_PRIO_DATA(value));
    json_close();
}

static void report_memory_policy(void)
{
    static const char *const modes[] = {
        "default", "preferred", "bind", "interleave", "local", "preferred_many", "weighted_interleave",
    };
    int mode = -1;
    unsigned long nodes[16] = {0};
    json_open_object("memory_policy");
    if (syscall(SYS_get_mempolicy, &mode, nodes, sizeof nodes * 8, NULL, 0) < 0) {
        json_text("mode", errno_name(errno));
    } else {
        int plain = mode & ~(MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES | MPOL_F_NUMA_BALANCING);
        json_text("mode", plain >= 0 && plain < 7 ? modes[plain] : "?");
        json_number("flags", mode & ~plain);
        json_number("nodes", (long long)nodes[0]);
    }
    json_close();
}

// "type;uid;gid;permissions;name" of the session keyring, and who else's it would be seen as: keyctl(2).
static void report_keyring(void)
{
    char description[256] = "";
    long serial = syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0);
    if (serial >= 0 && syscall(SYS_keyctl, KEYCTL_DESCRIBE, serial, description, sizeof description - 1) >= 0)
        json_text("keyring", description);
    else
        json_text("keyring", errno_name(errno));
    json_number("keyring_serial", serial);
}

static void report_interfaces(void)
{
    int any = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct if_nameindex *all = if_nameindex();
    json_open_object("interfaces");
    for (struct if_nameindex *one = all; one && one->if_index; one++) {
        struct ifreq request = {0};
        snprintf(request.ifr_name, sizeof request.ifr_name, "%s", one->if_name);
        bool known = any >= 0 && ioctl(any, SIOCGIFFLAGS, &request) == 0;
        json_text(one->if_name, known && request.ifr_flags & IFF_UP ? "up" : "down");
    }
    json_close();
    if (all) if_freenameindex(all);
    if (any >= 0) close(any);
}

void report_settings(void)
{
    int death_signal = 0;
    report_scheduler();
    report_io_priority();
    report_memory_policy();
    report_keyring();
    report_interfaces();
    json_number("securebits", prctl(PR_GET_SECUREBITS));
    json_number("dumpable", prctl(PR_GET_DUMPABLE));
    prctl(PR_GET_PDEATHSIG, &death_signal);
    json_number("parent_death_signal", death_signal);
    json_number("subreaper", ({ int is = 0; prctl(PR_GET_CHILD_SUBREAPER, &is); is; }));
}
