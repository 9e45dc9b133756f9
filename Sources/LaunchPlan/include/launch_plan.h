// The launch plan: everything that a container gets, compiled by Swift into a flat list of steps that the shim walks.
//
// The plan is one block of memory: a header, then the steps, then the texts that the steps point at. All offsets are in
// bytes from the start of the block; offset 0 means "none". Texts are NUL-terminated; a list of texts is a count
// (uint32_t) followed by that many texts. Numbers are in the machine's own byte order: a plan never leaves the machine.
//
// Who does what (the engine is minirun, the monitor and the child are minirun-shim):
//
//   engine                      monitor                            child (becomes the container)
//   ------                      -------                            -----
//   clone(NEWPID), exec shim -> PDEATHSIG, is the engine alive?
//                               clone child --------------------> waits for the plan
//   find the image, compile
//   LP_MESSAGE_PLAN ---------------------------------------------> walks the steps: mounts, devices …
//   create cgroup, write state                                     ⋮
//   LP_MESSAGE_GO -----------------------------------------------> LP_BARRIER
//                               notes when that was  <------------- the time
//                                                                  cgroup, pivot, limits, ids, filter
//                                                                  exec  (its descriptors close)
//   <- LP_MESSAGE_STARTED ----- end of file from the child
//      with a pidfd of child
//   pidfd_send_signal ----------------------------------------->  (signals)
//   <- LP_MESSAGE_EXITED ------ waitid(child)
//   reap the monitor            exit
//
// The shim is started as `minirun-shim CONTROL FLAGS [CGROUP]`: the number of the control socket's descriptor, the CLONE_NEW*
// flags of the child in hexadecimal, and a cgroup v2 folder to clone it into. Both depend on options alone, so that the new
// namespaces are made (a network namespace takes the kernel 0.3 ms) while the engine is still reading the image. The plan
// repeats them in its first step.
//
// Where the monitor has something to do before it clones (join namespaces, open mount sources), or shall not stay
// (`oci create`: the container's parent is the caller's subreaper), the shim is started as `minirun-shim CONTROL prepare`:
//
//   engine                      monitor                            child
//   ------                      -------                            -----
//   clone, exec shim ---------> PDEATHSIG
//   LP_MESSAGE_PLAN (phase 0) -> walks the steps, the last is
//                               LP_CLONE: clone(PARENT) ---------> waits for its plan; an end of file ends it
//   <- LP_MESSAGE_BORN ------   exit
//      pid, pidfd
//   id maps, state, net devices
//   LP_MESSAGE_PLAN (phase 1) -----------------------------------> walks the steps: mounts …
//   <- LP_MESSAGE_WAITING ---------------------------------------  LP_BARRIER with n0
//   hooks createRuntime
//   LP_MESSAGE_GO -----------------------------------------------> hooks createContainer, pivot, ids …
//   <- LP_MESSAGE_CREATED ---------------------------------------  LP_START: closes the control socket, accepts on the
//   state is "created", exit                                       listening socket that came with the plan
//
//   oci start: connect --------------------------------------------> control socket from here on
//   LP_MESSAGE_GO -------------------------------------------------> hooks startContainer, capabilities, filter, exec
//   <- LP_MESSAGE_LISTENER ----------------------------------------  the filter's notification descriptor, if it has one
//   <- end of file: executed; or LP_MESSAGE_FAILED
//
// `oci exec` has no LP_START: the end of file on the control socket says that the program was executed.
//
// A step that fails is reported by whoever walked it, as LP_MESSAGE_FAILED {step, errno, detail} straight to the engine; the
// child then ends with status 255 and the monitor after it. The pseudo-terminal, if there is one, is opened in the
// container's own devpts and its master travels to the engine as LP_MESSAGE_CONSOLE.
//
// The monitor is the init of an outer pid namespace. When it dies, for whatever reason, the kernel kills everything in that
// namespace and so the container, whatever user its processes have become.
#ifndef MINIRUN_LAUNCH_PLAN_H
#define MINIRUN_LAUNCH_PLAN_H

#include <stdint.h>

#define LP_MAGIC 0x706d756eU
// The shim refuses a plan of another version. Raise it with every change of meaning below.
#define LP_VERSION 5U

#define LP_TEXTS 5
#define LP_NUMBERS 8
// The most descriptors that come with a plan, and the most that its steps keep for later ones.
#define LP_DESCRIPTORS 32
#define LP_SLOTS 1024
// The most lower layers of an overlay: the kernel's own limit (OVL_MAX_STACK).
#define LP_LAYERS 500

struct lp_header {
    uint32_t magic;
    uint32_t version;
    uint32_t size;        // of the whole plan, in bytes
    uint32_t step_count;
    uint32_t steps;       // offset of the first step
    uint32_t descriptors; // how many come with it
};

// What a step does, and which of its fields it reads: t0… are texts, n0… numbers, blob is binary data.
enum lp_operation {
    // -- the child's first; in a plan of phase 0 the last, which makes the child
    LP_CLONE = 1,         // n0: the CLONE_NEW* flags with which the child was cloned (it refuses others) or is to be cloned,
                          // t0: a cgroup v2 folder to clone into

    // -- by the monitor (phase 0), in the host's mount tree
    LP_HIDE,              // not dumpable: who shares a pid namespace with the child may not look into it before its exec
    LP_ID_MAP,            // t0: uid_map, t1: gid_map, n0: slot; a user namespace with that map, for LP_OPEN_TREE or LP_BIND
    LP_OPEN_TREE,         // as LP_BIND, without t1, n4: slot
    LP_TIME_OFFSETS,      // t0: text for /proc/self/timens_offsets; the child is born into a new time namespace
    LP_JOIN,              // n0: CLONE_NEW* flags, n1: index of the descriptor (a namespace or a process); all LP_JOINs together

    // -- by the child, in the host's mount tree
    LP_NEW_SESSION,       // setsid
    LP_KEYRING,           // a session keyring of its own: the caller's keys are not the container's
    LP_PROPAGATION,       // n0: MS_PRIVATE or MS_SLAVE…, perhaps with MS_REC, t0: applied to that mount point
    LP_LAYER,             // t0: a lower folder of the overlay that follows, the top first
    LP_OVERLAY,           // t0: mount point, t1: upper, t2: work, t3: further options; becomes the root
    LP_ROOT_FOLDER,       // t0: a folder that becomes the root as it is, n0: LP_ROOT_*, as LP_PIVOT_ROOT will have it
    LP_LOOPBACK,          // brings `lo` up
    LP_OOM_SCORE,         // n0: oom_score_adj as int64
    // in the new root, which is not pivoted to yet; targets are resolved inside it
    LP_BECOME_ROOT,       // user and group 0 of the new user namespace, n0: 1 where setgroups(2) is allowed
    LP_FILE_SYSTEM,       // t0: type, t1: target, t2: source, t3: options "a=b,c", n0: MOUNT_ATTR_*, n1: LP_MOUNT_*, n2: MS_* propagation,
                          // t4: a folder of the host that is bound instead where the kernel says EPERM (in a user namespace)
    LP_ATTACH,            // t1: target, n2: LP_BIND_*, n4: slot of LP_OPEN_TREE
    LP_REMOUNT,           // t1: target, n0: attributes to set, n1: to clear, n3: MS_* propagation, n6 and n7 as LP_BIND
    LP_BIND,              // t0: source on the host, t1: target, n0: attributes to set, n1: to clear, n2: LP_BIND_*, n3: MS_* propagation,
                          // n5: 1 + slot of an id map, which is empty after it, or 0; n6 and n7: attributes to set and to clear on submounts too
    LP_LINK,              // t0: path, t1: target; one that exists is left as it is
    LP_DEVICE,            // t0: path, n0: S_IFCHR… and mode, n1: major, n2: minor, n3: uid, n4: gid
    LP_OWN_STREAMS,       // 0 to 2 that are files or devices of the host become the container's own, or read-only;
                          // n0: 1 leaves what has no counterpart in the container as it is (the caller of `oci` vouches for it)
    LP_CONSOLE,           // n0: columns, n1: rows, n2: uid of the terminal, n3: 1 for /dev/console, n4: 1 where line feeds
                          // stay as they are (no ONLCR); a pty becomes 0 to 2
    LP_BARRIER,           // wait until the engine says go, n0: 1 tells it that we wait
    LP_HOOK,              // t0: path, t1: list of arguments, t2: list of environment entries, n0: timeout in ms or 0,
                          // blob: the state for its standard input; it runs in /, as it is at that moment
    LP_ENTER_CGROUP,      // t0: a `tasks` or `cgroup.procs` file, on the host, or n0: 1 + index of a descriptor; "0" is written to it
    LP_UNSHARE,           // n0: CLONE_NEW* flags
    LP_SYSCTL,            // t0: path below /proc/sys, t1: value
    LP_MASK,              // t0: path; nothing there is fine
    LP_READ_ONLY,         // t0: path; nothing there is fine
    LP_FOLDER,            // t0: a folder, created with mode 0755 where it is missing; LP_WORKING_FOLDER says where it cannot be
    LP_ROOT_READ_ONLY,    // the root mount itself, after all others
    LP_PIVOT_ROOT,        // the new root becomes /, the old one goes; n0: LP_ROOT_*

    // -- by the child, inside
    LP_ATTRIBUTE,         // t0: a file below /proc/self/attr ("exec"), t1: what LP_EXEC writes there
    LP_PERSONALITY,       // n0: as personality(2) has it
    LP_SCHEDULER,         // blob: struct sched_attr
    LP_IO_PRIORITY,       // n0: as ioprio_set(2) has it
    LP_AFFINITY,          // blob: a mask of processors
    LP_MEMORY_POLICY,     // n0: mode and flags of set_mempolicy(2), blob: a mask of nodes
    LP_HOSTNAME,          // t0
    LP_DOMAINNAME,        // t0
    LP_RLIMIT,            // n0: RLIMIT_*, n1: soft, n2: hard
    LP_OWN_PIPES,         // n0: uid, n1: gid: those of 0 to 2 that are pipes
    LP_WORKING_FOLDER,    // t0: path, created with mode 0755 where it is missing
    LP_NO_NEW_PRIVILEGES,
    LP_SECCOMP,           // blob: struct sock_filter[], n0: SECCOMP_FILTER_FLAG_*
    LP_BOUNDING_SET,      // n0: the capabilities to keep, as a bit mask
    LP_IDS,               // n0: uid, n1: gid, n2: umask or LP_KEEP_UMASK, n3: 1 where setgroups(2) is forbidden, blob: uint32_t groups[]
    LP_HOME,              // HOME from the container's /etc/passwd, for LP_EXEC, where the environment has none
    LP_FIND_PROGRAM,      // fails where LP_EXEC would find nothing to execute, t0 and t1 as there, n0: the effective capabilities to come
    LP_START,             // n0: index of a listening socket: what follows waits for who connects
    LP_CAPABILITIES,      // n0: effective, n1: permitted, n2: inheritable, n3: ambient
    LP_INIT,              // stay as a small init; a child goes on with the next step
    LP_EXEC,              // t0: list of arguments, t1: list of environment entries; searched in the PATH among them,
                          // n0: how many descriptors from 3 on stay open
    LP_OPERATIONS
};

#define LP_KEEP_UMASK UINT64_MAX

enum lp_bind_flags {
    LP_BIND_RECURSIVE = 1,
    LP_BIND_MAKE_FOLDER = 2,   // create a missing source as a folder (docker's -v)
    LP_BIND_ONE_PROPAGATION = 4, // the propagation of submounts stays as it is
    LP_BIND_KEEP_LOCKED = 32,  // fail rather than clear what the host has set (for a user namespace)
    LP_BIND_MAP_RECURSIVE = 16, // the id map goes for submounts too
    LP_BIND_OWN_LINK = 8,      // the source is a link that is bound itself; the target is not followed either
    LP_BIND_COPY_UP = 64,      // a source that is empty is filled with what is at the target (docker's volumes)
};

enum lp_mount_flags {
    LP_MOUNT_COPY_UP = 1,      // the new file system begins with what is at the target (tmpcopyup)
};

enum lp_root_flags {
    LP_ROOT_PIVOT = 0,
    LP_ROOT_MOVE = 1,          // no pivot_root(2), for a root on an initramfs: MS_MOVE and chroot(2)
    LP_ROOT_CHANGE = 2,        // chroot(2) alone: the container shares its mount namespace
};

struct lp_step {
    uint32_t operation;
    uint32_t text[LP_TEXTS];
    uint32_t blob;
    uint32_t blob_size;
    uint32_t reserved;
    uint64_t number[LP_NUMBERS];
};

// A message over the control socket (SOCK_SEQPACKET): one struct each.
enum lp_message_kind {
    LP_MESSAGE_PLAN = 1, // engine → monitor or child, with a descriptor of the plan and those that its steps name
    LP_MESSAGE_GO,       // engine → child
    LP_MESSAGE_BORN,     // monitor → engine, with a pidfd of the child; status: its pid as the monitor sees it
    LP_MESSAGE_WAITING,  // child → engine: it waits at a barrier
    LP_MESSAGE_CREATED,  // child → engine: it waits to be started
    LP_MESSAGE_LISTENER, // child → engine, with the descriptor of a seccomp filter's notifications
    LP_MESSAGE_CONSOLE,  // child → engine, with the pty's master
    LP_MESSAGE_STARTED,  // monitor → engine, with a pidfd of the child
    LP_MESSAGE_FAILED,   // monitor or child → engine: step, error, detail
    LP_MESSAGE_EXITED,   // monitor → engine: status as of wait(2), and what the container used
};

struct lp_message {
    uint32_t kind;
    uint32_t step;
    int32_t error;       // errno
    int32_t status;
    uint32_t phase;      // of the plan whose step failed: 0 the monitor's, 1 the child's
    uint32_t remaining;  // LP_MESSAGE_FAILED: how many steps come after that one
    uint64_t time[3];    // CLOCK_MONOTONIC in ns: [0] the monitor's first instruction, [1] the barrier was passed, [2] the exec
    uint64_t used;       // LP_MESSAGE_STARTED: processor time in ns that the child had taken at time[2]
    uint64_t user_time;  // in microseconds
    uint64_t system_time;
    uint64_t peak_memory; // of the biggest process, in bytes
    char detail[400];
};

#endif
