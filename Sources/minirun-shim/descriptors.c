// Which descriptors are left for whom. All that the shim opens closes at an exec by itself; what is asked for here is that nothing
// was forgotten, and what has to go where no exec follows.

#include "shim.h"

#include <CDescriptors.h>
#include <errno.h>
#include <limits.h>
#include <unistd.h>

// A filter may refuse close(2), too.
static int must_close(int fd) { return fd < 0 || close(fd) == 0 || errno == EBADF ? 0 : -1; }

// Closes all but the caller's, the control socket, and what LP_EXEC still needs: before the container's own filter is loaded,
// which may refuse whatever it takes.
int tidy(struct shim *shim) {
    int kept[2 + sizeof shim->attributes / sizeof *shim->attributes];
    size_t count = 0;
    kept[count++] = shim->control;
    if (shim->barrier >= 0) kept[count++] = shim->barrier;
    for (uint32_t i = 0; i < shim->attribute_count; i++) kept[count++] = shim->attributes[i].file;
    unsigned int first = shim->own;
    for (;;) {
        unsigned int next = UINT_MAX;
        for (size_t i = 0; i < count; i++)
            if ((unsigned int)kept[i] >= first && (unsigned int)kept[i] < next) next = (unsigned int)kept[i];
        if (next == UINT_MAX) break;
        if (next > first && close_descriptors(first, next - 1, DESCRIPTOR_CLOSES) != 0) return -1;
        first = next + 1;
    }
    if (close_descriptors(first, UINT_MAX, DESCRIPTOR_CLOSES) != 0) return -1;
    shim->tidied = true;
    return 0;
}

// Before an exec: nothing from `first` on may be there after it (CVE-2024-21626).
int close_at_exec(const struct shim *shim, unsigned int first) {
    if (close_descriptors(first, UINT_MAX, DESCRIPTOR_CLOSES_AT_EXEC) == 0) return 0;
    if (!shim->tidied) return -1;
    // The container's filter refuses it. What was left when it was loaded is known, and only the caller's survives an exec.
    for (unsigned int fd = first; fd < shim->own; fd++)
        if (must_close((int)fd) != 0) return -1;
    return 0;
}

// Closes everything but `kept`, where no exec follows.
int let_go(struct shim *shim, int kept) {
    for (unsigned int fd = 0; fd < shim->own; fd++)
        if ((int)fd != kept && must_close((int)fd) != 0) return -1;
    for (uint32_t i = 0; i < shim->attribute_count; i++)
        if (must_close(shim->attributes[i].file) != 0) return -1;
    if (must_close(shim->barrier) != 0) return -1;
    int control = shim->control;
    bool done = true;
    // The control socket last, as a failure is to be said.
    const int ends[2] = {control < kept ? control : kept, control < kept ? kept : control};
    unsigned int first = shim->own;
    for (int i = 0; i < 2; i++) {
        if ((unsigned int)ends[i] > first) done = done && close_descriptors(first, (unsigned int)ends[i] - 1, DESCRIPTOR_CLOSES) == 0;
        if ((unsigned int)ends[i] >= first) first = (unsigned int)ends[i] + 1;
    }
    done = done && close_descriptors(first, UINT_MAX, DESCRIPTOR_CLOSES) == 0;
    if (!done && !shim->tidied) return -1;
    return must_close(control);
}
