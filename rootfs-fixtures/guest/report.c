// `report`: what this process is. What the kernel shows it of the system is in report_kernel.c.
#include "guest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <termios.h>
#include <unistd.h>

extern char **environ;

static void report_link(const char *key, const char *path)
{
    char target[4096];
    ssize_t length = readlink(path, target, sizeof target - 1);
    if (length < 0) {
        json_null(key);
        return;
    }
    target[length] = 0;
    json_text(key, target);
}

static void report_namespaces(void)
{
    static const char *const kinds[] = {"cgroup", "ipc", "mnt", "net", "pid", "pid_for_children", "time", "user", "uts"};
    json_open_object("namespaces");
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        char path[64];
        snprintf(path, sizeof path, "/proc/self/ns/%s", kinds[i]);
        report_link(kinds[i], path);
    }
    json_close();
}

static void report_capabilities(void)
{
    static const struct { const char *key, *field; } sets[] = {
        {"effective", "CapEff"}, {"permitted", "CapPrm"}, {"inheritable", "CapInh"},
        {"bounding", "CapBnd"}, {"ambient", "CapAmb"},
    };
    json_open_object("capabilities");
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        char *field = status_field(sets[i].field);
        unsigned long long bits = field ? strtoull(field, NULL, 16) : 0;
        json_open_array(sets[i].key);
        for (int number = 0; number < 64; number++)
            if (bits >> number & 1) json_text(NULL, capability_name(number));
        json_close();
    }
    json_close();
}

static void report_status_number(const char *key, const char *field)
{
    char *value = status_field(field);
    if (value) json_number(key, atoll(value));
    else json_null(key);
}

static void report_limit(const char *key, rlim_t limit)
{
    if (limit == RLIM_INFINITY) json_text(key, "unlimited");
    else json_number(key, (long long)limit);
}

static void report_limits(void)
{
    static const struct { const char *name; int resource; } limits[] = {
        {"as", RLIMIT_AS}, {"core", RLIMIT_CORE}, {"cpu", RLIMIT_CPU}, {"data", RLIMIT_DATA}, {"fsize", RLIMIT_FSIZE},
        {"locks", RLIMIT_LOCKS}, {"memlock", RLIMIT_MEMLOCK}, {"msgqueue", RLIMIT_MSGQUEUE}, {"nice", RLIMIT_NICE},
        {"nofile", RLIMIT_NOFILE}, {"nproc", RLIMIT_NPROC}, {"rss", RLIMIT_RSS}, {"rtprio", RLIMIT_RTPRIO},
        {"rttime", RLIMIT_RTTIME}, {"sigpending", RLIMIT_SIGPENDING}, {"stack", RLIMIT_STACK},
    };
    json_open_object("rlimits");
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        struct rlimit limit;
        if (getrlimit((__rlimit_resource_t)limits[i].resource, &limit) < 0) continue;
        json_open_object(limits[i].name);
        report_limit("soft", limit.rlim_cur);
        report_limit("hard", limit.rlim_max);
        json_close();
    }
    json_close();
}

static void report_strings(const char *key, char **strings)
{
    json_open_array(key);
    for (; *strings; strings++) json_text(NULL, *strings);
    json_close();
}

static void report_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    struct dirent *entry;
    json_open_array("descriptors");
    while (folder && (entry = readdir(folder))) {
        char path[64];
        int number = atoi(entry->d_name);
        if (entry->d_name[0] == '.' || number == dirfd(folder)) continue;
        snprintf(path, sizeof path, "/proc/self/fd/%d", number);
        json_open_object(NULL);
        json_number("number", number);
        report_link("target", path);
        json_number("flags", fcntl(number, F_GETFD));
        json_close();
    }
    json_close();
    if (folder) closedir(folder);
}

static void report_ids(void)
{
    uid_t real_user, user, saved_user;
    gid_t real_group, group, saved_group, groups[256];
    getresuid(&real_user, &user, &saved_user);
    getresgid(&real_group, &group, &saved_group);
    json_open_object("ids");
    json_number("uid", real_user);
    json_number("euid", user);
    json_number("suid", saved_user);
    json_number("gid", real_group);
    json_number("egid", group);
    json_number("sgid", saved_group);
    json_open_array("groups");
    int count = getgroups(256, groups);
    for (int i = 0; i < count; i++) json_number(NULL, groups[i]);
    json_close();
    json_close();
}

static void report_process(void)
{
    char folder[4096];
    json_number("pid", getpid());
    json_number("ppid", getppid());
    json_number("sid", getsid(0));
    json_number("pgid", getpgid(0));
    json_text("cwd", getcwd(folder, sizeof folder));
    mode_t mask = umask(0);
    umask(mask);
    char octal[8];
    snprintf(octal, sizeof octal, "%04o", mask);
    json_text("umask", octal);
    json_number("nice", getpriority(PRIO_PROCESS, 0));
    json_number("personality", personality(0xffffffff));
    report_link("executable", "/proc/self/exe");
}

static void report_names(void)
{
    struct utsname names;
    uname(&names);
    json_text("hostname", names.nodename);
    json_text("domainname", names.domainname);
    json_text("kernel", names.release);
    json_text("machine", names.machine);
}

static void report_signals(const char *key, const char *field)
{
    char *value = status_field(field);
    unsigned long long bits = value ? strtoull(value, NULL, 16) : 0;
    json_open_array(key);
    for (int number = 1; number <= 64; number++)
        if (bits >> (number - 1) & 1) json_text(NULL, signal_name(number));
    json_close();
}

static void report_terminals(void)
{
    json_open_array("terminals");
    for (int number = 0; number <= 2; number++) {
        struct winsize size;
        json_open_object(NULL);
        json_number("descriptor", number);
        json_boolean("terminal", isatty(number));
        if (isatty(number)) {
            json_text("name", ttyname(number));
            if (ioctl(number, TIOCGWINSZ, &size) == 0) {
                json_number("rows", size.ws_row);
                json_number("columns", size.ws_col);
            }
            json_boolean("foreground", tcgetpgrp(number) == getpgrp());
        }
        json_close();
    }
    json_close();
}

static void report_lines(const char *key, const char *path)
{
    char *text = read_file(path, NULL), *rest = text, *line;
    json_open_array(key);
    while (text && (line = strsep(&rest, "\n")))
        if (*line) json_text(NULL, line);
    json_close();
    free(text);
}

static void report_file_number(const char *key, const char *path)
{
    char *text = read_file(path, NULL);
    if (text) json_number(key, atoll(text));
    else json_null(key);
    free(text);
}

int report(int argc, char **argv)
{
    // Descriptors first: nothing of ours is open yet, whatever else is there was given to us.
    json_open_object(NULL);
    report_descriptors();
    report_strings("arguments", argv);
    report_strings("environment", environ);
    report_process();
    report_ids();
    report_capabilities();
    report_status_number("seccomp", "Seccomp");
    report_status_number("seccomp_filters", "Seccomp_filters");
    report_status_number("no_new_privs", "NoNewPrivs");
    report_namespaces();
    report_lines("uid_map", "/proc/self/uid_map");
    report_lines("gid_map", "/proc/self/gid_map");
    report_lines("setgroups", "/proc/self/setgroups");
    report_lines("time_offsets", "/proc/self/timens_offsets");
    report_limits();
    report_names();
    report_lines("cgroup", "/proc/self/cgroup");
    report_file_number("oom_score_adj", "/proc/self/oom_score_adj");
    report_settings();
    report_signals("signals_blocked", "SigBlk");
    report_signals("signals_ignored", "SigIgn");
    report_terminals();
    report_mounts();
    report_device_nodes();
    report_masked_paths();
    report_writable_paths();
    report_sysctls();
    report_paths(argc - 2, argv + 2);
    json_close();
    json_finish();
    return 0;
}
