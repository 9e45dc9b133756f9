// The last steps: finding the program and becoming it.

#include "shim.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { most = 65536 };
static char *arguments[most], *environment[most];

static const char *value_of(char **entries, const char *name) {
    size_t length = strlen(name);
    const char *value = NULL;
    for (; *entries; entries++)
        if (!strncmp(*entries, name, length) && (*entries)[length] == '=') value = *entries + length + 1;
    return value;
}

// The field of a line of passwd(5), which has colons between its fields; NULL where it has not as many.
static const char *field_of(const char *line, int number) {
    for (; line && number > 0; number--) line = strchr(line, ':') ? strchr(line, ':') + 1 : NULL;
    return line;
}

// Whether a line of passwd(5) is our user's, whose home is its sixth field.
static bool is_home_of(const char *line, uid_t uid, char *home, size_t size) {
    const char *field = field_of(line, 2);
    char *end;
    if (!field || *field < '0' || *field > '9' || strtoul(field, &end, 10) != uid || *end != ':') return false;
    field = field_of(line, 5);
    if (!field || !*field || *field == ':') return true;
    struct text found = text_in(home, size);
    add_bytes(&found, field, strcspn(field, ":"));
    // Half a path is another folder.
    if (!found.fits) found = text_in(home, size), add(&found, "/");
    return true;
}

// Longer files are not looked at: one of holes takes as long as its size says (CVE-2026-61801).
enum { home_file_limit = 1 << 20 };

// Looks for our user's home in a passwd(5) file, whose last line may have no end.
static void find_home(int file, uid_t uid, char *home, size_t size) {
    char line[1024], block[4096];
    size_t used = 0, total = 0;
    bool skipping = false;
    ssize_t count;
    do {
        count = total < home_file_limit ? read(file, block, sizeof block) : 0;
        if (count > 0) total += (size_t)count;
        if (count <= 0) block[0] = '\n';
        for (ssize_t i = 0; i < (count > 0 ? count : 1); i++) {
            if (block[i] != '\n') {
                if (used == sizeof line - 1) skipping = true; // a line that is too long is nobody's
                if (!skipping) line[used++] = block[i];
                continue;
            }
            line[used] = 0;
            if (!skipping && is_home_of(line, uid, home, size)) return;
            used = 0;
            skipping = false;
        }
    } while (count > 0);
}

// Looked up in the container, whose /etc/passwd may come with a volume; a FIFO there must not hold us up, and a device is not
// opened. Where the file cannot be used the home is "/", as with runc.
int step_home(struct shim *shim, const struct lp_step *step) {
    (void)step;
    char home[sizeof shim->home - 5] = "/";
    struct stat status;
    int file = stat("/etc/passwd", &status) == 0 && S_ISREG(status.st_mode)
                   ? open("/etc/passwd", O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
                   : -1;
    if (file >= 0 && fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_size <= home_file_limit)
        find_home(file, getuid(), home, sizeof home);
    if (file >= 0) close(file);
    struct text entry = TEXT_IN(shim->home);
    add(&entry, "HOME=");
    add(&entry, home);
    return 0;
}

// Adds the home that LP_HOME has found, where there is none; the array has room for one more.
void add_home(const struct shim *shim, char **entries) {
    const char *home = value_of(entries, "HOME");
    if (!*shim->home || (home && *home)) return;
    size_t kept = 0;
    for (size_t i = 0; entries[i]; i++)
        if (strncmp(entries[i], "HOME=", 5) != 0) entries[kept++] = entries[i];
    entries[kept++] = (char *)(uintptr_t)shim->home;
    entries[kept] = NULL;
}

static int load_lists(struct shim *shim, const struct lp_step *step) {
    if (!list_of(shim, step->text[0], arguments, most) || !list_of(shim, step->text[1], environment, most - 1) || !arguments[0])
        return fail_with(E2BIG, "");
    add_home(shim, environment);
    return 0;
}

static int folder_or(const char *path, int code) {
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode) ? EISDIR : code;
}

// What the kernel starts for a script, or for a program that is linked to shared libraries: where that is missing, its ENOENT
// reads as if the program itself were. Empty where the file says no such thing.
static void find_interpreter(const char *path, char *name, size_t size) {
    union {
        char text[4096];
        Elf64_Ehdr header;
    } start;
    *name = 0;
    int file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (file < 0) return;
    ssize_t count = pread(file, start.text, sizeof start - 1, 0);
    close(file);
    if (count < 4) return;
    start.text[count] = 0;
    const char *from = NULL;
    size_t length = 0;
    if (!strncmp(start.text, "#!", 2)) {
        from = start.text + 2 + strspn(start.text + 2, " \t");
        length = strcspn(from, " \t\n");
    } else if ((size_t)count > sizeof start.header && !memcmp(start.header.e_ident, ELFMAG, SELFMAG) &&
               start.header.e_ident[EI_CLASS] == ELFCLASS64) {
        for (size_t i = 0; i < start.header.e_phnum && !from; i++) {
            Elf64_Phdr part;
            uint64_t at = start.header.e_phoff + i * sizeof part;
            if (start.header.e_phoff > sizeof start || at + sizeof part > (size_t)count) return;
            memcpy(&part, start.text + at, sizeof part);
            if (part.p_type != PT_INTERP) continue;
            if (part.p_offset >= (size_t)count || part.p_filesz > (size_t)count - part.p_offset) return;
            from = start.text + part.p_offset;
            length = strnlen(from, (size_t)part.p_filesz);
        }
    }
    if (!from || length >= size) return;
    memcpy(name, from, length);
    name[length] = 0;
}

static int try_exec(const char *path) {
    execve(path, arguments, environment);
    int code = errno;
    if (code == EACCES) errno = folder_or(path, code);
    if (code == ENOENT && access(path, F_OK) == 0) {
        char interpreter[256];
        find_interpreter(path, interpreter, sizeof interpreter);
        return fail_with(code, interpreter);
    }
    return -1;
}

// Whether a file is there that the program's user may execute, with the capabilities that it will have.
static int try_access(const char *path) {
    if (syscall(SYS_faccessat2, AT_FDCWD, path, X_OK, AT_EACCESS) != 0) return -1;
    struct stat status;
    if (stat(path, &status) != 0 || !S_ISDIR(status.st_mode)) return 0;
    errno = EISDIR;
    return -1;
}

// Calls `attempt` with each place where the first argument may be, in the PATH of the environment to come.
static int search(int (*attempt)(const char *)) {
    if (strchr(arguments[0], '/')) return attempt(arguments[0]);
    const char *path = value_of(environment, "PATH");
    int seen = ENOENT;
    while (path && *path) {
        char space[4096];
        struct text candidate = TEXT_IN(space);
        size_t length = strcspn(path, ":");
        add_bytes(&candidate, path, length);
        add(&candidate, "/");
        add(&candidate, arguments[0]);
        if (candidate.fits && length) {
            // An exec that finds nothing takes ten times as long as a look.
            if (access(space, F_OK) == 0 && attempt(space) == 0) return 0;
            if (errno != ENOENT && errno != ENOTDIR && errno != EISDIR) seen = errno;
        }
        path += length + (path[length] == ':');
    }
    errno = seen;
    return -1;
}

int step_find_program(struct shim *shim, const struct lp_step *step) {
    if (load_lists(shim, step) != 0 || set_effective(step->number[0]) != 0) return -1;
    int result = search(try_access), code = errno;
    if (raise_permitted() != 0) return -1;
    errno = code;
    return result;
}

// Opens a file of our own on a procfs: on a new mount that nobody can have prepared, or, where we may not mount, on /proc if
// that is one (CVE-2019-19921, CVE-2025-52881: a label that is written elsewhere is no label).
static int open_own_attribute(const char *name) {
    char path[128];
    struct text file_name = TEXT_IN(path);
    add(&file_name, "self/attr/");
    add(&file_name, name);
    if (!file_name.fits) return fail_with(ENAMETOOLONG, name);
    int context = fsopen("proc", FSOPEN_CLOEXEC), root = -1;
    if (context >= 0 && fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0) root = fsmount(context, FSMOUNT_CLOEXEC, 0);
    if (context >= 0) close(context);
    if (root < 0) root = open("/proc", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (root < 0) return -1;
    struct open_how how = {.flags = O_WRONLY | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV};
    int file = (int)syscall(SYS_openat2, root, path, &how, sizeof how);
    close_keeping_errno(root, 0);
    struct statfs status;
    if (file >= 0 && (fstatfs(file, &status) != 0 || status.f_type != PROC_SUPER_MAGIC)) {
        close(file);
        return fail_with(EINVAL, "/proc is not a procfs");
    }
    return file;
}

// Opened while we have the right to; written at the exec, as it would hold for a hook's exec too.
int step_attribute(struct shim *shim, const struct lp_step *step) {
    if (shim->attribute_count == sizeof shim->attributes / sizeof *shim->attributes) return fail_with(E2BIG, "");
    int file = open_own_attribute(text_of(shim, step, 0));
    if (file < 0) return -1;
    shim->attributes[shim->attribute_count].file = file;
    shim->attributes[shim->attribute_count++].value = text_of(shim, step, 1);
    return 0;
}

int step_exec(struct shim *shim, const struct lp_step *step) {
    if (load_lists(shim, step) != 0) return -1;
    for (uint32_t i = 0; i < shim->attribute_count; i++) {
        const char *value = shim->attributes[i].value;
        if (write(shim->attributes[i].file, value, strlen(value)) < 0) return fail_with(errno, value);
    }
    umask(shim->wanted_umask);
    // As a program expects to find them: nothing blocked, nothing ignored.
    struct sigaction standard = {.sa_handler = SIG_DFL};
    for (int number = 1; number < NSIG; number++) sigaction(number, &standard, NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    // Everything that the caller did not hand on closes at the exec, whoever opened it (CVE-2024-21626).
    if (close_at_exec(shim, 3U + (unsigned int)step->number[0]) != 0) return fail_with(errno, "closing descriptors");
    return search(try_exec);
}
