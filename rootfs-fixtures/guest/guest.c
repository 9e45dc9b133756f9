// A program that sees and says what a container gives it. It is linked statically, so that it is all an image needs.
// `guest` or `guest report` prints one JSON object; README.md lists the other subcommands.
#include "guest.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    int arguments;  // the fewest it needs
    const char *usage;
} subcommands[] = {
    {"report", report, 0, ""},
    {"exit", act_exit, 1, "CODE"},
    {"signal", act_signal, 1, "NUMBER"},
    {"sleep", act_sleep, 1, "SECONDS|forever"},
    {"echo", act_echo, 0, "[TEXT...]"},
    {"cat", act_cat, 0, ""},
    {"drop", act_drop, 1, "UID [SUBCOMMAND...]"},
    {"fork", act_fork, 1, "COUNT"},
    {"alloc", act_alloc, 1, "MIB"},
    {"burn", act_burn, 1, "MILLISECONDS"},
    {"ls", act_ls, 1, "PATH"},
    {"stat", act_stat, 1, "PATH"},
    {"read", act_read, 1, "PATH"},
    {"exec", act_exec, 1, "PATH [ARGUMENT...]"},
    {"write", try_write, 2, "PATH TEXT"},
    {"open", try_open, 1, "PATH"},
    {"mknod", try_mknod, 4, "PATH c|b MAJOR MINOR"},
    {"syscall", try_syscall, 1, "NAME|NUMBER [ARGUMENT...]"},
    {"overwrite", try_overwrite, 1, "all|DESCRIPTOR"},
    {"keyring", try_keyring, 1, "NAME"},
    {"with-key", try_with_key, 2, "NAME PROGRAM [ARGUMENT...]"},
    {"exchange", try_exchange, 2, "PATH PATH"},
    {"mount-try", try_mounts, 0, ""},
    {"unshare-try", try_unshare, 0, ""},
    {"trap", watch_signals, 0, ""},
    {"tty", watch_terminal, 0, ""},
    {"orphan", watch_orphan, 0, ""},
};

int run_subcommand(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof subcommands / sizeof subcommands[0]; i++) {
        if (strcmp(argv[0], subcommands[i].name) != 0) continue;
        if (argc - 1 >= subcommands[i].arguments) return subcommands[i].run(argc, argv);
        fprintf(stderr, "usage: guest %s %s\n", subcommands[i].name, subcommands[i].usage);
        return 2;
    }
    fprintf(stderr, "guest: no subcommand %s\n", argv[0]);
    return 2;
}

int main(int argc, char **argv)
{
    if (argc < 2) return report(argc, argv);
    // The report shows the whole command line, every other subcommand sees its own part.
    if (strcmp(argv[1], "report") == 0) return report(argc, argv);
    return run_subcommand(argc - 1, argv + 1);
}
