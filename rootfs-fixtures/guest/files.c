// Reading small files of procfs and sysfs, whose size is not known before they are read.
#include "guest.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

// The whole file, ended by a zero byte, or NULL with errno set. The caller frees it.
char *read_file(const char *path, size_t *length)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return NULL;
    size_t size = 0, room = 4096;
    char *bytes = malloc(room + 1);
    ssize_t count;
    while ((count = read(file, bytes + size, room - size)) > 0) {
        size += (size_t)count;
        if (size == room) bytes = realloc(bytes, (room *= 2) + 1);
    }
    close(file);
    if (count < 0) {
        free(bytes);
        return NULL;
    }
    bytes[size] = 0;
    if (length) *length = size;
    return bytes;
}

// The value of a line of /proc/self/status, in memory that stays until the next call, or NULL.
char *status_field(const char *field)
{
    static char value[256];
    char *status = read_file("/proc/self/status", NULL), *rest = status, *line, *found = NULL;
    size_t length = strlen(field);
    while (status && (line = strsep(&rest, "\n"))) {
        if (strncmp(line, field, length) != 0 || line[length] != ':') continue;
        snprintf(value, sizeof value, "%s", line + length + 1 + strspn(line + length + 1, " \t"));
        found = value;
        break;
    }
    free(status);
    return found;
}

static const char *file_type(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG: return "file";
    case S_IFDIR: return "directory";
    case S_IFLNK: return "symlink";
    case S_IFCHR: return "c";
    case S_IFBLK: return "b";
    case S_IFIFO: return "fifo";
    default: return "socket";
    }
}

int json_status(const char *path)
{
    struct stat status;
    char mode[8], target[4096];
    if (lstat(path, &status) < 0) return -1;
    snprintf(mode, sizeof mode, "%04o", status.st_mode & 07777);
    json_text("type", file_type(status.st_mode));
    json_text("mode", mode);
    json_number("uid", status.st_uid);
    json_number("gid", status.st_gid);
    json_number("size", status.st_size);
    json_number("links", (long long)status.st_nlink);
    json_number("inode", (long long)status.st_ino);
    json_number("device", (long long)status.st_dev);
    json_number("blocks", status.st_blocks);
    json_number("mtime", status.st_mtim.tv_sec);
    json_number("mtime_nanoseconds", status.st_mtim.tv_nsec);
    if (S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode)) {
        json_number("major", major(status.st_rdev));
        json_number("minor", minor(status.st_rdev));
    }
    ssize_t length = S_ISLNK(status.st_mode) ? readlink(path, target, sizeof target - 1) : -1;
    if (length >= 0) {
        target[length] = 0;
        json_text("target", target);
    }
    return 0;
}
