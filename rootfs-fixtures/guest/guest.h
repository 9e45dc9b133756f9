// What the guest's files share.
#ifndef GUEST_H
#define GUEST_H

#include <stdbool.h>
#include <stddef.h>

// json.c: one JSON document on standard output. A key is NULL inside an array.
void json_open_object(const char *key);
void json_open_array(const char *key);
void json_close(void);
void json_text(const char *key, const char *value);
void json_number(const char *key, long long value);
void json_boolean(const char *key, bool value);
void json_null(const char *key);
void json_finish(void);

// names.c: numbers as the manual pages write them; a number without a name is written as a number.
const char *errno_name(int error);
const char *signal_name(int number);
const char *capability_name(int number);
long syscall_number(const char *name);

// files.c: small files, and the first line that starts with a word.
char *read_file(const char *path, size_t *length);
char *status_field(const char *field);
// Members of the object that is open: type, mode, owner and the rest of one file, never of what it points to.
int json_status(const char *path);

// report.c, report_kernel.c, report_settings.c
int report(int argc, char **argv);
void report_mounts(void);
void report_masked_paths(void);
void report_writable_paths(void);
void report_sysctls(void);
void report_device_nodes(void);
void report_settings(void);
void report_paths(int count, char **paths);

// actions.c, attempts.c, watch.c: one function for each subcommand; argv[0] is the subcommand's name.
int run_subcommand(int argc, char **argv);

int act_exit(int argc, char **argv);
int act_signal(int argc, char **argv);
int act_sleep(int argc, char **argv);
int act_echo(int argc, char **argv);
int act_cat(int argc, char **argv);
int act_drop(int argc, char **argv);
int act_fork(int argc, char **argv);
int act_alloc(int argc, char **argv);
int act_burn(int argc, char **argv);
int act_ls(int argc, char **argv);
int act_stat(int argc, char **argv);
int act_read(int argc, char **argv);
int act_exec(int argc, char **argv);

int try_write(int argc, char **argv);
int try_open(int argc, char **argv);
int try_mknod(int argc, char **argv);
int try_syscall(int argc, char **argv);
int try_overwrite(int argc, char **argv);
int try_keyring(int argc, char **argv);
int try_with_key(int argc, char **argv);
int try_exchange(int argc, char **argv);
int try_mounts(int argc, char **argv);
int try_unshare(int argc, char **argv);

int watch_signals(int argc, char **argv);
int watch_terminal(int argc, char **argv);
int watch_orphan(int argc, char **argv);

#endif
