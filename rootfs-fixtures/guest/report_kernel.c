// `report`: what the kernel shows this process of the system: mounts, device nodes, masked and read-only paths, sysctls.
#include "guest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

// mountinfo writes blanks, line ends and backslashes as three octal digits.
static char *unescape(char *text)
{
    char *to = text;
    for (char *from = text; *from; to++) {
        if (from[0] == '\\' && from[1] && from[2] && from[3]) {
            *to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
            from += 4;
        } else {
            *to = *from++;
        }
    }
    *to = 0;
    return text;
}

// One line of proc(5)'s mountinfo: id parent device root mountpoint options [tag...] - type source super-options
static void report_mount(char *line)
{
    char *fields[6] = {0}, *word, *propagation = NULL;
    for (int i = 0; i < 6; i++)
        if (!(fields[i] = strsep(&line, " "))) return;
    while ((word = strsep(&line, " ")) && strcmp(word, "-") != 0) propagation = word;
    char *type = strsep(&line, " "), *source = strsep(&line, " "), *super_options = strsep(&line, " ");
    if (!super_options) return;
    json_open_object(NULL);
    json_text("mountpoint", unescape(fields[4]));
    json_text("type", type);
    json_text("source", unescape(source));
    json_text("root", unescape(fields[3]));
    json_text("options", fields[5]);
    json_text("super_options", unescape(super_options));
    json_text("propagation", propagation ? propagation : "private");
    json_close();
}

void report_mounts(void)
{
    char *text = read_file("/proc/self/mountinfo", NULL), *rest = text, *line;
    json_open_array("mounts");
    while (text && (line = strsep(&rest, "\n")))
        if (*line) report_mount(line);
    json_close();
    free(text);
}

static void report_node(const char *name, const struct stat *status)
{
    char mode[8];
    snprintf(mode, sizeof mode, "%04o", status->st_mode & 07777);
    json_open_object(NULL);
    json_text("name", name);
    json_text("type", S_ISCHR(status->st_mode) ? "c" : "b");
    json_number("major", major(status->st_rdev));
    json_number("minor", minor(status->st_rdev));
    json_text("mode", mode);
    json_number("uid", status->st_uid);
    json_number("gid", status->st_gid);
    json_close();
}

static void report_device_links(void)
{
    DIR *folder = opendir("/dev");
    struct dirent *entry;
    json_open_object("device_links");
    while (folder && (entry = readdir(folder))) {
        char target[4096];
        ssize_t length = readlinkat(dirfd(folder), entry->d_name, target, sizeof target - 1);
        if (length < 0) continue;
        target[length] = 0;
        json_text(entry->d_name, target);
    }
    json_close();
    if (folder) closedir(folder);
}

void report_device_nodes(void)
{
    report_device_links();
    DIR *folder = opendir("/dev");
    struct dirent *entry;
    json_open_array("devices");
    while (folder && (entry = readdir(folder))) {
        struct stat status;
        if (fstatat(dirfd(folder), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0) continue;
        if (S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode)) report_node(entry->d_name, &status);
    }
    json_close();
    if (folder) closedir(folder);
}

// "readable" if a file gives a byte or a folder an entry, "empty" if it gives none, "absent", or the error's name.
static const char *readability(const char *path)
{
    int file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (file < 0) return errno == ENOENT ? "absent" : errno_name(errno);
    char byte;
    ssize_t count = read(file, &byte, 1);
    if (count < 0 && errno == EISDIR) {
        DIR *folder = fdopendir(file);
        struct dirent *entry;
        count = 0;
        while ((entry = readdir(folder)))
            if (entry->d_name[0] != '.') count = 1;
        closedir(folder);
    } else {
        int error = errno;
        close(file);
        if (count < 0) return errno_name(error);
    }
    return count > 0 ? "readable" : "empty";
}

void report_masked_paths(void)
{
    static const char *const paths[] = {
        "/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
        "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
        "/sys/devices/virtual/powercap", "/sys/devices/system/cpu/cpu0/thermal_throttle",
    };
    json_open_object("masked");
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) json_text(paths[i], readability(paths[i]));
    json_close();
}

// Makes and removes a file in a folder, or only opens a file of the kernel's: nothing is ever written to it.
static int attempt_write(const char *path)
{
    struct stat status;
    if (stat(path, &status) < 0) return errno;
    char probe[256];
    bool folder = S_ISDIR(status.st_mode);
    snprintf(probe, sizeof probe, folder ? "%s/.guest-write-probe" : "%s", strcmp(path, "/") == 0 ? "" : path);
    int file = open(probe, folder ? O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC : O_WRONLY | O_CLOEXEC, 0600);
    if (file < 0) return errno;
    close(file);
    if (folder) unlink(probe);
    return 0;
}

void report_writable_paths(void)
{
    static const char *const paths[] = {
        "/", "/dev", "/dev/shm", "/tmp", "/run", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/proc/sys",
        "/proc/sys/kernel/hostname", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/fs", "/proc/self/comm",
        "/sys", "/sys/kernel/mm/transparent_hugepage/enabled", "/sys/fs/cgroup",
    };
    json_open_object("writable");
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct statvfs system;
        bool known = statvfs(paths[i], &system) == 0;
        json_open_object(paths[i]);
        json_text("result", errno_name(attempt_write(paths[i])));
        if (known) json_boolean("read_only", system.f_flag & ST_RDONLY);
        else json_null("read_only");
        json_close();
    }
    json_close();
}

void report_sysctls(void)
{
    static const char *const names[] = {
        "fs.mqueue.msg_max", "kernel.domainname", "kernel.hostname", "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni",
        "kernel.ns_last_pid", "kernel.sem", "kernel.shm_rmid_forced", "kernel.shmall", "kernel.shmmax", "kernel.shmmni",
        "net.core.somaxconn", "net.ipv4.ip_forward", "net.ipv4.ip_unprivileged_port_start", "net.ipv4.ping_group_range",
        "net.ipv6.conf.all.disable_ipv6",
    };
    json_open_object("sysctls");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[128];
        snprintf(path, sizeof path, "/proc/sys/%s", names[i]);
        for (char *c = path + strlen("/proc/sys/"); *c; c++)
            if (*c == '.') *c = '/';
        char *text = read_file(path, NULL);
        if (text) text[strcspn(text, "\n")] = 0;
        json_text(names[i], text);
        free(text);
    }
    json_close();
}

// What was asked for: what it is, and whether it can be read and written to.
void report_paths(int count, char **paths)
{
    json_open_object("paths");
    for (int i = 0; i < count; i++) {
        json_open_object(paths[i]);
        json_status(paths[i]);
        json_text("reading", readability(paths[i]));
        json_text("writing", errno_name(attempt_write(paths[i])));
        json_close();
    }
    json_close();
}
