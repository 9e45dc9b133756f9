// Subcommands that do something plain: end, wait, pass bytes on, use up a resource, look at a file.
#include "guest.h"

#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int failed(const char *what)
{
    fprintf(stderr, "guest: %s: %s\n", what, errno_name(errno));
    return 1;
}

int act_exit(int argc, char **argv)
{
    (void)argc;
    return atoi(argv[1]);
}

int act_signal(int argc, char **argv)
{
    (void)argc;
    if (kill(getpid(), atoi(argv[1])) < 0) return failed("kill");
    // Still here: the signal was ignored, which is what the kernel does for pid 1.
    puts("survived");
    return 0;
}

int act_sleep(int argc, char **argv)
{
    (void)argc;
    if (strcmp(argv[1], "forever") == 0)
        for (;;) pause();
    double seconds = atof(argv[1]);
    struct timespec rest = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    while (nanosleep(&rest, &rest) < 0 && errno == EINTR) {}
    return 0;
}

int act_echo(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) printf("%s%s", i > 1 ? " " : "", argv[i]);
    putchar('\n');
    return fflush(stdout) == 0 ? 0 : failed("write");
}

int act_cat(int argc, char **argv)
{
    (void)argc, (void)argv;
    static char buffer[65536];
    ssize_t count;
    while ((count = read(0, buffer, sizeof buffer)) > 0)
        for (ssize_t done = 0, written; done < count; done += written)
            if ((written = write(1, buffer + done, (size_t)(count - done))) < 0) return failed("write");
    return count < 0 ? failed("read") : 0;
}

// Changes to a user the way `gosu` in official images does, which clears the parent death signal.
int act_drop(int argc, char **argv)
{
    static char *forever[] = {"sleep", "forever", NULL};
    id_t id = (id_t)atoi(argv[1]);
    if (setgroups(0, NULL) < 0) return failed("setgroups");
    if (setgid(id) < 0) return failed("setgid");
    if (setuid(id) < 0) return failed("setuid");
    if (argc > 2) return run_subcommand(argc - 2, argv + 2);
    return run_subcommand(2, forever);
}

// Children that stay, as many as a pids limit allows; prints how many there were.
int act_fork(int argc, char **argv)
{
    (void)argc;
    int wanted = atoi(argv[1]), made = 0, error = 0;
    pid_t *children = calloc((size_t)wanted + 1, sizeof *children);
    for (; made < wanted; made++) {
        children[made] = fork();
        if (children[made] == 0)
            for (;;) pause();
        if (children[made] < 0) {
            error = errno;
            break;
        }
    }
    printf("%d %s\n", made, errno_name(error));
    for (int i = 0; i < made; i++) {
        kill(children[i], SIGKILL);
        waitpid(children[i], NULL, 0);
    }
    return 0;
}

int act_alloc(int argc, char **argv)
{
    (void)argc;
    long wanted = atol(argv[1]);
    for (long i = 0; i < wanted; i++) {
        char *block = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (block == MAP_FAILED) {
            printf("%ld %s\n", i, errno_name(errno));
            return 1;
        }
        memset(block, 1, 1 << 20);
    }
    printf("%ld ok\n", wanted);
    return 0;
}

static long milliseconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// Uses up that much processor time and prints how much real time it took: a processor quota shows as the difference.
int act_burn(int argc, char **argv)
{
    (void)argc;
    long start = milliseconds(CLOCK_MONOTONIC), until = milliseconds(CLOCK_PROCESS_CPUTIME_ID) + atol(argv[1]);
    while (milliseconds(CLOCK_PROCESS_CPUTIME_ID) < until) {}
    printf("%ld\n", milliseconds(CLOCK_MONOTONIC) - start);
    return 0;
}

int act_ls(int argc, char **argv)
{
    (void)argc;
    struct dirent **entries;
    int count = scandir(argv[1], &entries, NULL, alphasort);
    if (count < 0) return failed(argv[1]);
    for (int i = 0; i < count; i++)
        if (strcmp(entries[i]->d_name, ".") != 0 && strcmp(entries[i]->d_name, "..") != 0) puts(entries[i]->d_name);
    return 0;
}

// The path itself, never what it points to.
int act_stat(int argc, char **argv)
{
    (void)argc;
    json_open_object(NULL);
    if (json_status(argv[1]) < 0) return failed(argv[1]);
    json_close();
    json_finish();
    return 0;
}

int act_read(int argc, char **argv)
{
    (void)argc;
    size_t length;
    char *text = read_file(argv[1], &length);
    if (!text) return failed(argv[1]);
    fwrite(text, 1, length, stdout);
    return fflush(stdout) == 0 ? 0 : failed("write");
}

int act_exec(int argc, char **argv)
{
    (void)argc;
    execv(argv[1], argv + 1);
    return failed(argv[1]);
}
