#define _GNU_SOURCE 1
#include "include/host_address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <string.h>

int linux_host_address(char text[16]) {
    struct ifaddrs *list;
    if (getifaddrs(&list) != 0) return -1;
    int result = -1;
    for (const struct ifaddrs *one = list; one && result != 0; one = one->ifa_next) {
        if (!one->ifa_addr || one->ifa_addr->sa_family != AF_INET) continue;
        if (!(one->ifa_flags & IFF_UP) || one->ifa_flags & IFF_LOOPBACK) continue;
        struct sockaddr_in address;
        memcpy(&address, one->ifa_addr, sizeof address);
        if (inet_ntop(AF_INET, &address.sin_addr, text, 16)) result = 0;
    }
    freeifaddrs(list);
    if (result != 0) errno = EADDRNOTAVAIL;
    return result;
}
