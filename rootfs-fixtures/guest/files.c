// Reading small files of procfs and sysfs, whose size is not known before they are read.
#include "guest.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
