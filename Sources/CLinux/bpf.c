#define _GNU_SOURCE 1
#include "include/bpf_device.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

// Always with the whole union: kernels from 6.17 on write fields of a query's answer beyond the size that was given.
static int bpf(int command, union bpf_attr *attr) { return (int)syscall(SYS_bpf, command, attr, sizeof *attr); }

static int load(union bpf_attr *attr) {
    int program;
    int attempts = 0;
    // EAGAIN: a signal interrupted the verifier.
    do program = bpf(BPF_PROG_LOAD, attr);
    while (program < 0 && errno == EAGAIN && ++attempts < 30);
    return program;
}

int linux_bpf_load_device_program(const uint64_t *instructions, uint32_t count, char *log, uint32_t log_size) {
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
    attr.insns = (uint64_t)(uintptr_t)instructions;
    attr.insn_cnt = count;
    attr.license = (uint64_t)(uintptr_t)"Apache";
    if (log_size > 0) log[0] = 0;
    int program = load(&attr);
    if (program >= 0 || log_size == 0) return program;
    // The log costs time, so only the failed program asks for it.
    int code = errno;
    attr.log_buf = (uint64_t)(uintptr_t)log;
    attr.log_size = log_size;
    attr.log_level = 1;
    program = load(&attr);
    if (program < 0) errno = code;
    return program;
}

int linux_bpf_attach_device_program(int cgroup, int program, int replaced) {
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.target_fd = (uint32_t)cgroup;
    attr.attach_bpf_fd = (uint32_t)program;
    attr.attach_type = BPF_CGROUP_DEVICE;
    attr.attach_flags = BPF_F_ALLOW_MULTI;
    if (replaced >= 0) {
        attr.attach_flags |= BPF_F_REPLACE;
        attr.replace_bpf_fd = (uint32_t)replaced;
    }
    return bpf(BPF_PROG_ATTACH, &attr);
}

int linux_bpf_detach_device_program(int cgroup, int program) {
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.target_fd = (uint32_t)cgroup;
    attr.attach_bpf_fd = (uint32_t)program;
    attr.attach_type = BPF_CGROUP_DEVICE;
    return bpf(BPF_PROG_DETACH, &attr);
}

int linux_bpf_device_programs(int cgroup, uint32_t *ids, uint32_t room) {
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.query.target_fd = (uint32_t)cgroup;
    attr.query.attach_type = BPF_CGROUP_DEVICE;
    attr.query.prog_ids = (uint64_t)(uintptr_t)ids;
    attr.query.prog_cnt = room;
    if (bpf(BPF_PROG_QUERY, &attr) != 0) return -1;
    return (int)attr.query.prog_cnt;
}

int linux_bpf_open_program(uint32_t id) {
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.prog_id = id;
    return bpf(BPF_PROG_GET_FD_BY_ID, &attr);
}
