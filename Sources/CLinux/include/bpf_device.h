// The device filter of cgroup v2: an eBPF program on the cgroup (bpf(2), BPF_PROG_TYPE_CGROUP_DEVICE).
#ifndef MINIRUN_BPF_DEVICE_H
#define MINIRUN_BPF_DEVICE_H

#include <stdint.h>

/// BPF_PROG_LOAD of a device program, given as the kernel's 64-bit instructions. Returns its descriptor (O_CLOEXEC). On
/// failure `log` holds the verifier's reason, if there is one.
int linux_bpf_load_device_program(const uint64_t *instructions, uint32_t count, char *log, uint32_t log_size);

/// BPF_PROG_ATTACH with BPF_F_ALLOW_MULTI to the cgroup folder `cgroup`; in the place of the attached program `replaced`
/// (BPF_F_REPLACE), or with -1 beside all others.
int linux_bpf_attach_device_program(int cgroup, int program, int replaced);

/// BPF_PROG_DETACH.
int linux_bpf_detach_device_program(int cgroup, int program);

/// BPF_PROG_QUERY: the ids of the device programs attached to this cgroup itself. Returns how many there are; fails with
/// ENOSPC if `room` is too small.
int linux_bpf_device_programs(int cgroup, uint32_t *ids, uint32_t room);

/// BPF_PROG_GET_FD_BY_ID.
int linux_bpf_open_program(uint32_t id);

#endif
