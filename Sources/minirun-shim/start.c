// Created, and not yet started: the process waits for `start`, who connects to a socket in the container's state folder.

#include "shim.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

static void end(int number) { _exit(128 + number); }

int step_start(struct shim *shim, const struct lp_step *step) {
    if (step->number[0] >= shim->descriptor_count) return fail_with(EBADF, "");
    int listener = shim->descriptors[step->number[0]];
    struct lp_message message = {.kind = LP_MESSAGE_CREATED};
    // An engine that is gone has not written that the container is created.
    if (send_message(shim, &message, -1) != 0) _exit(255);
    close(shim->control);
    // The kernel keeps a signal without a handler from pid 1, and who wants a created container to end sends one. LP_EXEC takes
    // the handlers away again.
    static const int ending[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    struct sigaction action = {.sa_handler = end};
    for (size_t i = 0; i < sizeof ending / sizeof *ending; i++) sigaction(ending[i], &action, NULL);
    for (;;) {
        shim->control = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (shim->control < 0) {
            if (errno == EINTR || errno == ECONNABORTED) continue;
            _exit(255);
        }
        // A `start` that was killed before it could say so has started nothing.
        if (wait_for_go(shim)) break;
        close(shim->control);
    }
    close(listener);
    return 0;
}
