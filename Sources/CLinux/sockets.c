#define _GNU_SOURCE 1
#include "include/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

// A socket's address has room for 107 bytes of path: a longer one is written as one of an open folder's.
static int address_of(const char *path, struct sockaddr_un *address, int *folder) {
    *folder = -1;
    address->sun_family = AF_UNIX;
    size_t whole = strlen(path);
    if (whole < sizeof address->sun_path) {
        memcpy(address->sun_path, path, whole + 1);
        return 0;
    }
    const char *slash = strrchr(path, '/');
    char parent[PATH_MAX];
    if (!slash || (size_t)(slash - path) >= sizeof parent) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(parent, path, (size_t)(slash - path));
    parent[slash - path] = 0;
    *folder = open(*parent ? parent : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*folder < 0) return -1;
    int length = snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/%s", *folder, slash + 1);
    if (length < (int)sizeof address->sun_path) return 0;
    close(*folder);
    errno = ENAMETOOLONG;
    return -1;
}

static int open_socket(const char *path, int type, int listens) {
    struct sockaddr_un address;
    int folder;
    if (address_of(path, &address, &folder) != 0) return -1;
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0), result = fd < 0 ? -1 : 0;
    if (fd >= 0 && listens) {
        result = bind(fd, (struct sockaddr *)&address, sizeof address);
        if (result == 0 && type != SOCK_DGRAM) result = listen(fd, 16);
    } else if (fd >= 0) {
        while ((result = connect(fd, (struct sockaddr *)&address, sizeof address)) != 0 && errno == EINTR) {}
    }
    int code = errno;
    if (folder >= 0) close(folder);
    if (result != 0 && fd >= 0) close(fd);
    errno = code;
    return result == 0 ? fd : -1;
}

int linux_listen(const char *path, int type) { return open_socket(path, type, 1); }

int linux_connect(const char *path, int type) { return open_socket(path, type, 0); }
