#define _GNU_SOURCE 1
#include "include/network_device.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

// Room for the longest that is sent: an IPv6 address with a peer.
struct message {
    union {
        struct nlmsghdr header;
        char bytes[128];
    };
};

struct device {
    int index;
    unsigned int flags;
    char name[IFNAMSIZ];
};

struct addresses {
    int device;
    int count;
    struct message list[256];
};

typedef int (*answer_handler)(const struct nlmsghdr *answer, void *context);

static void *begin(struct message *message, int type, int flags, size_t size) {
    memset(message, 0, sizeof *message);
    message->header.nlmsg_type = (uint16_t)type;
    message->header.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
    message->header.nlmsg_len = (uint32_t)NLMSG_SPACE(size);
    return NLMSG_DATA(&message->header);
}

static int put(struct message *message, int type, const void *value, size_t size) {
    if (message->header.nlmsg_len + RTA_SPACE(size) > sizeof *message) {
        errno = EMSGSIZE;
        return -1;
    }
    struct rtattr *attribute = (struct rtattr *)(message->bytes + message->header.nlmsg_len);
    attribute->rta_type = (uint16_t)type;
    attribute->rta_len = (uint16_t)RTA_LENGTH(size);
    memcpy(RTA_DATA(attribute), value, size);
    message->header.nlmsg_len += (uint32_t)RTA_SPACE(size);
    return 0;
}

static int open_rtnetlink(void) {
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0) return -1;
    // Connected, it takes nothing from anybody but the kernel: in the container's namespace there may be others who would send.
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    if (connect(fd, (struct sockaddr *)&kernel, sizeof kernel) == 0) return fd;
    int code = errno;
    close(fd);
    errno = code;
    return -1;
}

// Sends one request and reads all that comes for it.
static int ask(int socket, const struct message *request, answer_handler handle, void *context) {
    _Alignas(struct nlmsghdr) char buffer[16 << 10];
    int interrupted = 0;
    while (send(socket, request, request->header.nlmsg_len, 0) < 0)
        if (errno != EINTR) return -1;
    for (;;) {
        ssize_t count = recv(socket, buffer, sizeof buffer, MSG_TRUNC);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return -1;
        if ((size_t)count > sizeof buffer) {
            errno = EMSGSIZE;
            return -1;
        }
        unsigned int rest = (unsigned int)count;
        for (struct nlmsghdr *part = (struct nlmsghdr *)buffer; NLMSG_OK(part, rest); part = NLMSG_NEXT(part, rest)) {
            if (part->nlmsg_flags & NLM_F_DUMP_INTR) interrupted = 1;
            if (part->nlmsg_type == NLMSG_ERROR || part->nlmsg_type == NLMSG_DONE) {
                // Both begin with a negative error number or 0.
                int code = *(int *)NLMSG_DATA(part);
                if (code == 0 && !interrupted) return 0;
                errno = code ? -code : EAGAIN;
                return -1;
            }
            if (handle && handle(part, context) != 0) return -1;
        }
    }
}

static int take_device(const struct nlmsghdr *answer, void *context) {
    struct device *device = context;
    const struct ifinfomsg *link = NLMSG_DATA(answer);
    if (answer->nlmsg_type != RTM_NEWLINK) return 0;
    device->index = link->ifi_index;
    device->flags = link->ifi_flags;
    unsigned int rest = (unsigned int)IFLA_PAYLOAD(answer);
    for (struct rtattr *attribute = IFLA_RTA(link); RTA_OK(attribute, rest); attribute = RTA_NEXT(attribute, rest))
        if (attribute->rta_type == IFLA_IFNAME) snprintf(device->name, IFNAMSIZ, "%s", (char *)RTA_DATA(attribute));
    return 0;
}

// By its name, or by its index if there is none.
static int find_device(int socket, const char *name, int index, struct device *device) {
    struct message request;
    struct ifinfomsg *link = begin(&request, RTM_GETLINK, 0, sizeof *link);
    link->ifi_index = index;
    if (name && put(&request, IFLA_IFNAME, name, strlen(name) + 1) != 0) return -1;
    return ask(socket, &request, take_device, device);
}

// Makes the request that adds the address again. It has no IFA_LABEL: that begins with the name of the device.
static int take_address(const struct nlmsghdr *answer, void *context) {
    struct addresses *addresses = context;
    const struct ifaddrmsg *from = NLMSG_DATA(answer);
    if (answer->nlmsg_type != RTM_NEWADDR || (int)from->ifa_index != addresses->device) return 0;
    const uint32_t chosen = IFA_F_NODAD | IFA_F_HOMEADDRESS | IFA_F_MANAGETEMPADDR | IFA_F_NOPREFIXROUTE | IFA_F_MCAUTOJOIN;
    uint32_t flags = from->ifa_flags;
    struct ifa_cacheinfo lifetime = {.ifa_prefered = UINT32_MAX, .ifa_valid = UINT32_MAX};
    struct message request;
    struct ifaddrmsg *to = begin(&request, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof *to);
    to->ifa_family = from->ifa_family;
    to->ifa_prefixlen = from->ifa_prefixlen;
    to->ifa_scope = from->ifa_scope;
    unsigned int rest = (unsigned int)IFA_PAYLOAD(answer);
    for (struct rtattr *attribute = IFA_RTA(from); RTA_OK(attribute, rest); attribute = RTA_NEXT(attribute, rest)) {
        switch (attribute->rta_type) {
        case IFA_FLAGS: memcpy(&flags, RTA_DATA(attribute), sizeof flags); break;
        case IFA_CACHEINFO: memcpy(&lifetime, RTA_DATA(attribute), sizeof lifetime); break;
        case IFA_ADDRESS:
        case IFA_LOCAL:
        case IFA_BROADCAST:
        case IFA_RT_PRIORITY:
        case IFA_PROTO:
            if (put(&request, attribute->rta_type, RTA_DATA(attribute), RTA_PAYLOAD(attribute)) != 0) return -1;
        }
    }
    if (!(flags & IFA_F_PERMANENT) || from->ifa_scope != RT_SCOPE_UNIVERSE) return 0;
    // The kernel tells of a permanent IPv4 address that it is preferred forever, whether it is or not.
    if (flags & IFA_F_DEPRECATED) lifetime.ifa_prefered = 0;
    flags &= chosen;
    if (put(&request, IFA_CACHEINFO, &lifetime, sizeof lifetime) != 0) return -1;
    if (put(&request, IFA_FLAGS, &flags, sizeof flags) != 0) return -1;
    if (addresses->count == sizeof addresses->list / sizeof *addresses->list) {
        errno = E2BIG;
        return -1;
    }
    addresses->list[addresses->count++] = request;
    return 0;
}

static int read_addresses(int socket, int device, struct addresses *addresses) {
    struct message request;
    struct ifaddrmsg *any = begin(&request, RTM_GETADDR, NLM_F_DUMP, sizeof *any);
    any->ifa_family = AF_UNSPEC;
    addresses->device = device;
    // EAGAIN: somebody changed an address while they were read, which may have hidden another.
    for (int attempts = 0; attempts < 30; attempts++) {
        addresses->count = 0;
        if (ask(socket, &request, take_address, addresses) == 0) return 0;
        if (errno != EAGAIN) return -1;
    }
    return -1;
}

static int send_address(int socket, int device, struct message *request) {
    struct ifaddrmsg *address = NLMSG_DATA(&request->header);
    address->ifa_index = (uint32_t)device;
    return ask(socket, request, NULL, NULL);
}

static int configure(int socket, int device, struct addresses *addresses, int up) {
    const struct ifaddrmsg *address;
    // The kernel lists the newest IPv6 address of a scope first, and the newest IPv4 address last.
    for (int i = 0; i < addresses->count; i++) {
        address = NLMSG_DATA(&addresses->list[i].header);
        if (address->ifa_family != AF_INET6 && send_address(socket, device, &addresses->list[i]) != 0) return -1;
    }
    for (int i = addresses->count - 1; i >= 0; i--) {
        address = NLMSG_DATA(&addresses->list[i].header);
        if (address->ifa_family == AF_INET6 && send_address(socket, device, &addresses->list[i]) != 0) return -1;
    }
    if (!up) return 0;
    struct message request;
    struct ifinfomsg *link = begin(&request, RTM_SETLINK, 0, sizeof *link);
    link->ifi_index = device;
    link->ifi_flags = link->ifi_change = IFF_UP;
    return ask(socket, &request, NULL, NULL);
}

// 0 or -1 as the kernel says; `*moved` tells whether the device went, which it may have in both cases: the kernel moves first
// and renames then. `*target` is its index there.
static int move(int socket, int device, int namespace, const char *name, int *target, int *moved) {
    struct device found;
    *target = device;
    // The index is ours to choose: if the kernel chose another because this one is taken, nobody would tell us which, and
    // neither does the name if it is a template.
    for (int attempts = 0;; attempts++, ++*target) {
        struct message request;
        struct ifinfomsg *link = begin(&request, RTM_SETLINK, 0, sizeof *link);
        link->ifi_index = device;
        uint32_t number = (uint32_t)namespace;
        put(&request, IFLA_NET_NS_FD, &number, sizeof number);
        put(&request, IFLA_IFNAME, name, strlen(name) + 1);
        put(&request, IFLA_NEW_IFINDEX, target, sizeof *target);
        int result = ask(socket, &request, NULL, NULL), code = errno;
        *moved = result == 0 || (find_device(socket, NULL, device, &found) != 0 && errno == ENODEV);
        errno = code;
        if (result == 0 || *moved || code != EBUSY || attempts == 1000) return result;
    }
}

struct visit {
    int namespace;
    int socket;
    int error;
};

// The child, which shares the engine's memory and its descriptors: system calls only.
static int open_there(void *argument) {
    struct visit *visit = argument;
    if (setns(visit->namespace, CLONE_NEWNET) != 0 || (visit->socket = open_rtnetlink()) < 0) visit->error = errno;
    _exit(0);
}

// A socket stays in the namespace that it was made in. It is made by a child because a thread of ours that went there might
// not come back.
static int open_rtnetlink_in(int namespace) {
    enum { stack_size = 64 << 10 };
    char *stack = mmap(NULL, stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED) return -1;
    struct visit visit = {.namespace = namespace, .socket = -1};
    // The parent's handlers must not run in the child, which shares its memory.
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    // No SIGCHLD, so that nobody else's wait takes it for one of theirs.
    pid_t pid = clone(open_there, stack + stack_size, CLONE_VM | CLONE_VFORK | CLONE_FILES, &visit);
    int code = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    munmap(stack, stack_size);
    if (pid > 0) {
        while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR) {}
        code = visit.error ? visit.error : EIO;
    }
    errno = code;
    return visit.socket;
}

static int move_between(int here, int there, const int namespaces[2], const char *name, const char *new_name) {
    struct device device = {0}, other;
    struct addresses addresses;
    int target, moved, back;
    if (find_device(here, name, 0, &device) != 0) return -1;
    // It may have been found by an alternative name, which it keeps.
    if (strcmp(name, new_name) == 0) new_name = device.name;
    // Before the move, which would have happened when the kernel finds this out itself.
    if (find_device(there, new_name, 0, &other) == 0) errno = EEXIST;
    if (errno != ENODEV) return -1;
    // The kernel sets it down itself, once nothing is in the way of the move. Done here it would lose its IPv6 addresses.
    if (read_addresses(here, device.index, &addresses) != 0) return -1;
    if (move(here, device.index, namespaces[1], new_name, &target, &moved) == 0 &&
        configure(there, target, &addresses, 1) == 0)
        return 0;
    int code = errno;
    if (moved) {
        move(there, target, namespaces[0], device.name, &back, &moved);
        if (moved) configure(here, back, &addresses, device.flags & IFF_UP);
    }
    errno = code;
    return -1;
}

int linux_move_network_device(const char *name, const char *new_name, pid_t pid) {
    // The kernel has the same rule for templates, but looks only after the move.
    const char *percent = strchr(new_name, '%');
    int bad = percent && (percent[1] != 'd' || strchr(percent + 1, '%'));
    if (bad || !*name || !*new_name || strlen(name) >= IFNAMSIZ || strlen(new_name) >= IFNAMSIZ) {
        errno = EINVAL;
        return -1;
    }
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/ns/net", (int)pid);
    // Opened once: whoever has the pid later, it is this namespace that the device goes to.
    int namespaces[2] = {open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC), open(path, O_RDONLY | O_CLOEXEC)};
    int here = -1, there = -1, result = -1;
    struct stat ours, theirs;
    if (namespaces[0] < 0 || namespaces[1] < 0) goto done;
    if (fstat(namespaces[0], &ours) != 0 || fstat(namespaces[1], &theirs) != 0) goto done;
    if (ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino) {
        errno = EINVAL;
        goto done;
    }
    if ((here = open_rtnetlink()) < 0 || (there = open_rtnetlink_in(namespaces[1])) < 0) goto done;
    result = move_between(here, there, namespaces, name, new_name);
done:;
    int code = errno;
    const int all[] = {namespaces[0], namespaces[1], here, there};
    for (int i = 0; i < 4; i++)
        if (all[i] >= 0) close(all[i]);
    errno = code;
    return result;
}
