// `--init`: pid 1 stays with the shim, which passes signals on to the program and reaps what loses its parent.

#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static _Noreturn void be_init(struct shim *shim, pid_t program, const sigset_t *all, int closed) {
    // Nothing of the engine's may stay open in a process of the container; and the output is the program's, whose reader
    // sees the end when the program closes it. The pipe goes last: its end tells the program's side that all else has gone.
    if (let_go(shim, closed) != 0) report_failure(shim, errno);
    // The plan names folders of the host, and /proc/1/maps and /proc/1/mem would show it.
    if (munmap((void *)(uintptr_t)shim->plan, shim->header->size) != 0 || close(closed) != 0) _exit(255);
    for (;;) {
        siginfo_t info;
        int number = sigwaitinfo(all, &info);
        if (number < 0) continue;
        if (number != SIGCHLD) {
            kill(program, number);
            continue;
        }
        int status;
        for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
            if (pid == program) _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    }
}

int step_init(struct shim *shim, const struct lp_step *step) {
    (void)step;
    sigset_t all;
    sigfillset(&all);
    if (sigprocmask(SIG_SETMASK, &all, NULL) != 0) return -1;
    int closed[2];
    if (pipe2(closed, O_CLOEXEC) != 0) return -1;
    pid_t program = fork();
    if (program < 0) return -1;
    if (program > 0) {
        prctl(PR_SET_NAME, "init");
        be_init(shim, program, &all, closed[1]);
    }
    // Not before pid 1 has let go of everything: a program that came first could take it from /proc/1/fd.
    close(closed[1]);
    char byte;
    while (read(closed[0], &byte, 1) < 0 && errno == EINTR) {}
    close(closed[0]);
    // The program's side. In a process group of its own, as the terminal's foreground: else Ctrl-C would reach the program
    // twice, from the terminal and from init. SIGTTOU is blocked here; LP_EXEC opens the signals again.
    if (setpgid(0, 0) != 0) return -1;
    if (tcsetpgrp(0, getpid()) != 0 && errno != ENOTTY && errno != EINVAL && errno != EBADF) return -1;
    return 0;
}
