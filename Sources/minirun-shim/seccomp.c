// Loading the filter, and handing on the descriptor of its notifications.

#include "shim.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

// A filter that asks somebody about calls must be handed on with a call that it does not catch. So a second thread, which the
// filter is not for, sends the descriptor; the first one waits for it without any call at all.
static struct {
    const struct shim *shim;
    _Atomic int listener; // -1: not yet, -2: there is none
    _Atomic int sent;     // 0: not yet, 1: yes, -1: no
} handover;

static int hand_over(void *unused) {
    (void)unused;
    int listener;
    while ((listener = atomic_load(&handover.listener)) == -1) syscall(SYS_sched_yield);
    int result = 1;
    if (listener >= 0) {
        struct lp_message message = {.kind = LP_MESSAGE_LISTENER};
        // The engine says go when the descriptor has reached who answers: before that a call would wait for ever.
        if (send_message(handover.shim, &message, listener) != 0 || !wait_for_go(handover.shim)) result = -1;
    }
    atomic_store(&handover.sent, result);
    syscall(SYS_exit, 0);
    return 0;
}

static int load(const struct shim *shim, const struct lp_step *step) {
    struct sock_fprog program = {
        .len = (unsigned short)(step->blob_size / sizeof(struct sock_filter)),
        .filter = (struct sock_filter *)(uintptr_t)(shim->plan + step->blob),
    };
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, (unsigned int)step->number[0], &program);
}

int step_seccomp(struct shim *shim, const struct lp_step *step) {
    if (tidy(shim) != 0) return fail_with(errno, "closing descriptors");
    if (!(step->number[0] & SECCOMP_FILTER_FLAG_NEW_LISTENER)) return load(shim, step) < 0 ? -1 : 0;
    static char stack[32 << 10] __attribute__((aligned(16)));
    handover.shim = shim;
    atomic_store(&handover.listener, -1);
    atomic_store(&handover.sent, 0);
    int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
    if (clone(hand_over, stack + sizeof stack, flags, NULL) < 0) return -1;
    int listener = load(shim, step), code = errno;
    atomic_store(&handover.listener, listener < 0 ? -2 : listener);
    while (atomic_load(&handover.sent) == 0) {}
    if (listener < 0) {
        errno = code;
        return -1;
    }
    return atomic_load(&handover.sent) == 1 ? 0 : fail_with(ECONNRESET, "nobody takes the seccomp notifications");
}
