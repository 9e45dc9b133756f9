// peak FILE PROGRAM [ARGUMENT...]
//
// Runs a program and writes into FILE how many KiB of memory were resident, at most, in the biggest process of those that it
// waited for. A program of its own, because the kernel counts what a process had resident before its exec: whoever is started by
// a big program, by vfork, looks big.
#define _GNU_SOURCE
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int count, char **arguments) {
    if (count < 3) return 125;
    pid_t pid;
    if (posix_spawn(&pid, arguments[2], NULL, NULL, arguments + 2, environ) != 0) return 127;
    int status = 0;
    struct rusage usage;
    while (wait4(pid, &status, 0, &usage) < 0 && errno == EINTR) {}
    FILE *file = fopen(arguments[1], "we");
    if (!file || fprintf(file, "%ld\n", usage.ru_maxrss) < 0 || fclose(file) != 0) return 125;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 125;
}
