// Hooks that run in the container's namespaces: createContainer before the pivot, startContainer before the exec.

#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char *arguments[4096], *environment[4096];

// The hook's side of the clone.
static _Noreturn void become_hook(const struct shim *shim, const struct lp_step *step, int input, int output, int error) {
    umask(022);
    // Nothing that the image has chosen comes to a hook: not its environment, and not its folders (CVE-2025-23266).
    if (chdir("/") != 0) _exit(127);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int from[3] = {input, output, error};
    // Out of the way of 0 to 2 first: any of them may be closed in a caller that was careless.
    for (int i = 0; i < 3; i++) from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 3);
    for (int i = 0; i < 3; i++) dup2(from[i], i);
    // Nothing else is the hook's: neither the engine's socket nor what the caller hands on to the container.
    if (close_at_exec(shim, 3) == 0) execve(text_of(shim, step, 0), arguments, environment);
    dprintf(2, "%s", strerror(errno));
    _exit(127);
}

// Waits for its end, at most `timeout` ms (0: for ever). Returns the wait status, -1 where it ran past its time.
static int wait_for_hook(pid_t pid, int pidfd, uint64_t timeout) {
    uint64_t began = now();
    for (;;) {
        // In steps of what poll(2) takes: no product or sum of a timeout, which may be any number.
        uint64_t passed = (now() - began) / 1000000U, left = timeout > passed ? timeout - passed : 0;
        struct pollfd end = {.fd = pidfd, .events = POLLIN};
        int ready = poll(&end, 1, timeout == 0 ? -1 : left < 86400000 ? (int)left : 86400000);
        if ((ready < 0 && errno == EINTR) || (ready == 0 && left > 86400000)) continue;
        int status = 0;
        if (ready == 0) kill(pid, SIGKILL);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
        return ready == 0 ? -1 : status;
    }
}

int step_hook(struct shim *shim, const struct lp_step *step) {
    if (!list_of(shim, step->text[1], arguments, 4096) || !list_of(shim, step->text[2], environment, 4095)) return fail_with(E2BIG, "");
    if (!arguments[0]) {
        arguments[0] = (char *)(uintptr_t)text_of(shim, step, 0);
        arguments[1] = NULL;
    }
    // A file in memory on either side: no pipe can fill up, whatever the hook reads and writes.
    int input = memfd_create("state", MFD_CLOEXEC), output = memfd_create("output", MFD_CLOEXEC);
    int error = memfd_create("error", MFD_CLOEXEC);
    if (input < 0 || output < 0 || error < 0) return -1;
    if (write(input, shim->plan + step->blob, step->blob_size) != (ssize_t)step->blob_size) return -1;
    lseek(input, 0, SEEK_SET);
    int pidfd = -1;
    struct clone_args clone = {.flags = CLONE_PIDFD, .pidfd = (uint64_t)(uintptr_t)&pidfd, .exit_signal = SIGCHLD};
    long pid = syscall(SYS_clone3, &clone, sizeof clone);
    if (pid < 0) return -1;
    if (pid == 0) become_hook(shim, step, input, output, error);
    int status = wait_for_hook((pid_t)pid, pidfd, step->number[0]);
    char out[120] = "", err[180] = "", space[384];
    struct text text = TEXT_IN(space);
    if (pread(output, out, sizeof out - 1, 0) < 0) out[0] = 0;
    if (pread(error, err, sizeof err - 1, 0) < 0) err[0] = 0;
    close(input), close(output), close(error), close(pidfd);
    if (status == 0) return 0;
    // The engine says which hook it was.
    if (status == -1)
        add_format(&text, "hook ran past specified timeout of %.1fs", (double)step->number[0] / 1000);
    else if (WIFSIGNALED(status))
        add_format(&text, "signal: %s, stdout: %s, stderr: %s", strsignal(WTERMSIG(status)), out, err);
    else
        add_format(&text, "exit status %d, stdout: %s, stderr: %s", WEXITSTATUS(status), out, err);
    return fail_with(ECANCELED, space);
}
