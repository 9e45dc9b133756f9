// This host's own addresses (getifaddrs(3), which asks the kernel and no name service).
#ifndef MINIRUN_HOST_ADDRESS_H
#define MINIRUN_HOST_ADDRESS_H

/// The first IPv4 address of an interface that is up and not the loopback, as text. -1 with EADDRNOTAVAIL where there is none.
int linux_host_address(char text[16]);

#endif
