// The GNU and kernel interfaces that `import Glibc` does not show to Swift, and the few functions that must be C:
// variadic calls, macros, and everything that runs between a clone and an exec.
#ifndef MINIRUN_CLINUX_H
#define MINIRUN_CLINUX_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

// Swift's own view of the C library comes with some packages and calls fd_set's member __fds_bits. X/Open calls it fds_bits, and
// where both definitions meet in one module Swift's compiler refuses them.
#include <features.h>
#ifdef __USE_XOPEN
#undef __USE_XOPEN
#include <sys/select.h>
#define __USE_XOPEN 1
#endif

#include <bzlib.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <lzma.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

// Structures that glibc declares differently with and without _GNU_SOURCE (rusage's enum, utsname) stay out of this
// header: Swift's own Glibc module has them without, and the compiler refuses two definitions of one type.

/// errno is a macro, which Swift cannot import.
int linux_errno(void);
void linux_set_errno(int code);

/// strerror(3) without its shared buffer: always fills `text`.
void linux_error_text(int code, char *text, size_t size);

// The functions of this target have the prefix `linux_`; each returns -1 and sets errno on failure, as libc does.

/// openat2(2): `resolve` takes RESOLVE_* bits.
int linux_openat2(int dirfd, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve);

/// openat(2), which is variadic.
int linux_openat(int dirfd, const char *path, int flags, mode_t mode);

/// fcntl(2) F_DUPFD_CLOEXEC, and F_GETFL / F_SETFL with an int.
int linux_duplicate(int fd, int lowest);
int linux_fcntl(int fd, int command, int argument);

/// Lets go of the program's own code in memory (madvise(2), MADV_DONTNEED), which comes back as it is needed, and of memory that was
/// given back (malloc_trim(3)).
void linux_release_program_pages(void);

/// pipe2(2) with O_CLOEXEC.
int linux_pipe(int *reading, int *writing);

/// socketpair(2) of SOCK_SEQPACKET, with SOCK_CLOEXEC.
int linux_socket_pair(int *one, int *other);

/// O_PATH, which has an unsigned value that Swift does not import as a flag.
extern const int linux_o_path;

/// _SC_NPROCESSORS_CONF, for sysconf(3).
extern const int linux_sc_processors_configured;

/// signal(2) with SIG_IGN.
void linux_ignore_signal(int number);

/// environ, and POSIX_SPAWN_SETSID as a number.
char **linux_environment(void);
/// posix_spawnp(3) as another user, for root. The calling thread takes that user's ids for the length of the call: the child
/// gets them, and at the exec it loses the saved uid of root and every capability. Other threads keep theirs.
int linux_spawn_as(uid_t uid, gid_t gid, const gid_t *groups, size_t group_count, pid_t *pid, const char *file,
                   const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes, char *const argv[],
                   char *const environment[]);
extern const int linux_spawn_setsid;

/// The parts of a device number.
unsigned int linux_major(dev_t device);
unsigned int linux_minor(dev_t device);
dev_t linux_makedev(unsigned int major, unsigned int minor);

/// pidfd_send_signal(2) without siginfo.
int linux_pidfd_send_signal(int pidfd, int signal);

/// pidfd_open(2).
int linux_pidfd_open(pid_t pid);

/// ioctl(2) with NS_GET_NSTYPE: the CLONE_NEW* flag of a namespace's descriptor.
int linux_namespace_type(int fd);

/// prlimit(2): raises the hard value of another process's limit; never lowers it.
int linux_raise_hard_limit(pid_t pid, int resource, uint64_t hard);

/// Reads /proc/self/uid_map and gid_map from within a user namespace, of which a descriptor is given; each at most `size` - 1
/// bytes and a NUL. The process that enters it shares no memory with the caller.
int linux_read_id_maps(int user_namespace, char *users, char *groups, size_t size);

/// prctl(2) with PR_SET_CHILD_SUBREAPER.
int linux_become_subreaper(void);

/// memfd_create(2) with MFD_CLOEXEC.
int linux_memfd_create(const char *name, unsigned int flags);

/// linkat(2) of an O_TMPFILE descriptor to a name, through /proc/self/fd.
int linux_link_descriptor(int fd, int dirfd, const char *name);

/// ioctl(2) with TIOCGWINSZ and TIOCSWINSZ.
int linux_get_window_size(int fd, struct winsize *size);
int linux_set_window_size(int fd, const struct winsize *size);

/// ioctl(2) with TIOCGPTPEER: the other side of a pseudo-terminal's master, whichever devpts it is in.
int linux_open_terminal_peer(int master);

/// Removes everything in an open folder without following links. EBUSY where something lies on another device than
/// `device`: a mount point is never emptied.
int linux_remove_contents(int directory, dev_t device);

/// FICLONE: makes `destination` share `source`'s blocks where the file system can.
int linux_clone_file(int source, int destination);

/// FS_IOC_ENABLE_VERITY with SHA-256 and blocks of 4096 bytes: from then on the file cannot be written, and what is read of it is
/// checked. Nobody may have it open for writing.
int linux_enable_verity(int fd);

/// FS_IOC_MEASURE_VERITY: the file's fs-verity digest, 32 bytes.
int linux_measure_verity(int fd, uint8_t digest[32]);

/// LOOP_CTL_GET_FREE: the number of a loop device that nobody uses.
int linux_free_loop(int control);

/// LOOP_CONFIGURE: shows `file` through a loop device, read-only, with direct input and output where the file's file system can,
/// until nobody uses the device any more.
int linux_configure_loop(int device, int file);

/// The WIF* and W* macros, which Swift cannot import.
int linux_exit_code(int wait_status);
int linux_term_signal(int wait_status);

#include "bpf_device.h"
#include "host_address.h"
#include "network_device.h"
#include "sockets.h"
#include "spawn_monitor.h"

// What only the layer code needs.
#include <zstd_errors.h>

#endif
