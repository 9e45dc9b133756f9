// Subcommands that wait for something from outside: signals, a terminal's size, a process without a parent.
#include "guest.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char lines[65][24];

static void print_signal(int number)
{
    // Only what is allowed in a handler: the lines were made before.
    (void)!write(1, lines[number], strlen(lines[number]));
    if (number == SIGTERM) _exit(0);
}

// Prints "ready", then the name of each signal that arrives, and ends with code 0 on SIGTERM.
int watch_signals(int argc, char **argv)
{
    (void)argc, (void)argv;
    struct sigaction action = {.sa_handler = print_signal};
    sigfillset(&action.sa_mask);
    for (int number = 1; number <= 64; number++) {
        snprintf(lines[number], sizeof lines[number], "%s\n", signal_name(number));
        sigaction(number, &action, NULL);
    }
    (void)!write(1, "ready\n", 6);
    for (;;) pause();
}

static void print_size(int number)
{
    struct winsize size = {0};
    char line[32];
    (void)number;
    ioctl(0, TIOCGWINSZ, &size);
    int length = snprintf(line, sizeof line, "%dx%d\n", size.ws_row, size.ws_col);
    (void)!write(1, line, (size_t)length);
}

// Prints ROWSxCOLUMNS now and whenever the size changes; a line that is read is printed after "line: " and ends it.
int watch_terminal(int argc, char **argv)
{
    (void)argc, (void)argv;
    if (!isatty(0)) {
        puts("no terminal");
        return 1;
    }
    struct sigaction action = {.sa_handler = print_size, .sa_flags = SA_RESTART};
    sigaction(SIGWINCH, &action, NULL);
    print_size(0);
    char line[256];
    if (!fgets(line, sizeof line, stdin)) return 1;
    printf("line: %s", line);
    return 0;
}

static char process_state(pid_t pid)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    char *text = read_file(path, NULL), *end = text ? strrchr(text, ')') : NULL;
    char state = end ? end[2] : 0;
    free(text);
    return state;
}

// Leaves a dead grandchild to pid 1 and prints what becomes of it: "reaped", or "zombie" after two seconds.
int watch_orphan(int argc, char **argv)
{
    (void)argc, (void)argv;
    int ends[2];
    if (pipe(ends) < 0) return 1;
    pid_t parent = fork();
    if (parent == 0) {
        pid_t orphan = fork();
        if (orphan > 0) (void)!write(ends[1], &orphan, sizeof orphan);
        _exit(0);
    }
    pid_t orphan = 0;
    if (parent < 0 || read(ends[0], &orphan, sizeof orphan) != sizeof orphan) return 1;
    waitpid(parent, NULL, 0);
    for (int i = 0; i < 200; i++) {
        if (process_state(orphan) == 0) {
            puts("reaped");
            return 0;
        }
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    }
    puts(process_state(orphan) == 'Z' ? "zombie" : "alive");
    return 0;
}
