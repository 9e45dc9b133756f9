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
// The shim is started as `minirun-shim FLAGS [CGROUP]`: the CLONE_NEW* flags of the child in hexadecimal, and a cgroup v2
// folder to clone it into. Both depend on options alone, so that the new namespaces are made (a network namespace takes the
// kernel 0.3 ms) while the engine is still reading the image. The plan repeats them in its first step.
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
#define LP_VERSION 1U

// The descriptor of the control socket in the shim, beside 0 to 2.
#define LP_CONTROL_FD 3

#define LP_TEXTS 4
#define LP_NUMBERS 6

struct lp_header {
    uint32_t magic;
    uint32_t version;
    uint32_t size;        // of the whole plan, in bytes
    uint32_t step_count;
    uint32_t steps;       // offset of the first step
    uint32_t reserved;
};

// What a step does, and which of its fields it reads: t0… are texts, n0… numbers, blob is binary data.
enum lp_operation {
    // -- always first
    LP_CLONE = 1,         // n0: the CLONE_NEW* flags with which the child was cloned; it refuses others

    // -- by the child, in the host's mount tree
    LP_NEW_SESSION,       // setsid
    LP_PROPAGATION,       // n0: MS_PRIVATE or MS_SLAVE with MS_REC, applied to /
    LP_LAYER,             // t0: a lower folder of the overlay that follows, the top first
    LP_OVERLAY,           // t0: mount point, t1: upper, t2: work, t3: further options; becomes the root
    LP_ROOT_FOLDER,       // t0: a folder that becomes the root as it is
    LP_LOOPBACK,          // brings `lo` up
    LP_OOM_SCORE,         // n0: oom_score_adj as int64
    // in the new root, which is not pivoted to yet; targets are resolved inside it
    LP_FILE_SYSTEM,       // t0: type, t1: target, t2: source, t3: options "a=b,c", n0: MOUNT_ATTR_*
    LP_BIND,              // t0: source on the host, t1: target, n0: attributes to set, n1: to clear, n2: LP_BIND_*, n3: MS_* propagation
    LP_LINK,              // t0: path, t1: target; one that exists is left as it is
    LP_DEVICE,            // t0: path, n0: S_IFCHR… and mode, n1: major, n2: minor, n3: uid, n4: gid
    LP_OWN_STREAMS,       // 0 to 2 that are files or devices of the host become the container's own, or read-only
    LP_CONSOLE,           // n0: columns, n1: rows, n2: uid of the terminal; a pty becomes 0 to 2 and /dev/console
    LP_BARRIER,           // wait until the engine says go
    LP_ENTER_CGROUP,      // t0: a `tasks` file of cgroup v1, on the host; "0" is written to it
    LP_UNSHARE,           // n0: CLONE_NEW* flags
    LP_SYSCTL,            // t0: path below /proc/sys, t1: value
    LP_MASK,              // t0: path; nothing there is fine
    LP_READ_ONLY,         // t0: path; nothing there is fine
    LP_ROOT_READ_ONLY,    // the root mount itself, after all others
    LP_PIVOT_ROOT,        // the new root becomes /, the old one goes

    // -- by the child, inside
    LP_HOSTNAME,          // t0
    LP_DOMAINNAME,        // t0
    LP_RLIMIT,            // n0: RLIMIT_*, n1: soft, n2: hard
    LP_OWN_PIPES,         // n0: uid, n1: gid: those of 0 to 2 that are pipes
    LP_WORKING_FOLDER,    // t0: path, created with mode 0755 and the ids n0, n1 where it is missing
    LP_NO_NEW_PRIVILEGES,
    LP_SECCOMP,           // blob: struct sock_filter[], n0: SECCOMP_FILTER_FLAG_*
    LP_BOUNDING_SET,      // n0: the capabilities to keep, as a bit mask
    LP_IDS,               // n0: uid, n1: gid, n2: umask or LP_KEEP_UMASK, blob: uint32_t groups[]
    LP_CAPABILITIES,      // n0: effective, n1: permitted, n2: inheritable, n3: ambient
    LP_INIT,              // stay as a small init; a child goes on with the next step
    LP_EXEC,              // t0: list of arguments, t1: list of environment entries; searched in the PATH among them
    LP_OPERATIONS
};

#define LP_KEEP_UMASK UINT64_MAX

enum lp_bind_flags {
    LP_BIND_RECURSIVE = 1,
    LP_BIND_MAKE_FOLDER = 2,   // create a missing source as a folder (docker's -v)
    LP_BIND_SET_RECURSIVE = 4, // apply the attributes to submounts too
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
    LP_MESSAGE_PLAN = 1, // engine → child, with a descriptor of the plan
    LP_MESSAGE_GO,       // engine → child
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
    uint64_t time[2];    // CLOCK_MONOTONIC in ns: [0] the monitor's first instruction, [1] the barrier was passed
    uint64_t user_time;  // in microseconds
    uint64_t system_time;
    uint64_t peak_memory; // of the biggest process, in bytes
    char detail[200];
};

#endif
