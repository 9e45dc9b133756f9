// Handing a network device to a container (rtnetlink(7)).
#ifndef MINIRUN_NETWORK_DEVICE_H
#define MINIRUN_NETWORK_DEVICE_H

#include <sys/types.h>

/// Moves a network device of our namespace into that of a process and gives it a new name there (or the same). Its addresses of
/// global scope, its MTU and its link address come along; it is up there.
int linux_move_network_device(const char *name, const char *new_name, pid_t pid);

#endif
