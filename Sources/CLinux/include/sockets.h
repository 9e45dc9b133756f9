// Unix sockets by path, of any length.
#ifndef MINIRUN_SOCKETS_H
#define MINIRUN_SOCKETS_H

/// A socket of `type` (SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM), bound to `path` (a name that must not be there yet), listening
/// unless it is a SOCK_DGRAM.
int linux_listen(const char *path, int type);

/// A socket of `type`, connected to `path`.
int linux_connect(const char *path, int type);

#endif
