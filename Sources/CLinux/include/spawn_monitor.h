// Starting the shim: the only clone that the engine itself makes.
#ifndef MINIRUN_SPAWN_MONITOR_H
#define MINIRUN_SPAWN_MONITOR_H

#include <sys/types.h>

/// Opens a program so that nobody who gets hold of it through /proc/PID/exe can write to it: a detached, read-only mount of
/// the file (CVE-2019-5736). Where the caller may not mount, a sealed copy in memory.
int linux_open_protected_program(const char *path);

/// Opens the file behind a descriptor anew, for reading, on a read-only mount of its own and at the same place in it: through
/// that descriptor nobody can write to it or change its mode. -1 where its mount is not one of this namespace's.
int linux_reopen_read_only(int fd);

/// Clones a process, gives it the descriptors `stdio[0..2]` as 0 to 2 and `control` as 3 + `preserved`, and executes the open
/// program `program` in it with the arguments `words` (NULL at their end), an empty environment and all signals unblocked.
/// Those from 3 to 2 + `preserved` are handed on as they are.
///
/// With `outer` it is born into a new pid namespace, whose init it is.
///
/// Between the clone and the exec only C runs, in the caller's memory, while the caller waits (CLONE_VFORK). Returns the pid,
/// and a pidfd in *pidfd; -1 with errno where the clone or the exec failed.
pid_t linux_spawn_monitor(
    int program, const int stdio[3], int control, int preserved, int outer, char *const words[], int *pidfd);

/// Sends one message with descriptors, at most 33 (those of LP_MESSAGE_PLAN). MSG_NOSIGNAL.
ssize_t linux_send_descriptors(int socket, const void *message, size_t size, const int *descriptors, size_t count);

/// Receives one message and, if one comes with it, a descriptor (-1 otherwise). 0 at the end. EMSGSIZE for a longer message or
/// for more descriptors, none of which stays open.
ssize_t linux_receive(int socket, void *message, size_t size, int *descriptor);

#endif
