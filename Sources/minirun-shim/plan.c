// The plan as it came: mapped, and checked once, so that no step has to ask whether what it reads is there.

#include "shim.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { largest_plan = 16 << 20 };

// What of a step is more than a text: `lists` has a bit for each text that is a list, `unit` and the bounds are the blob's, in
// bytes. A step that is not here has neither.
static const struct shape {
    uint32_t lists, unit, least, most;
} shapes[LP_OPERATIONS] = {
    [LP_HOOK] = {.lists = 1 << 1 | 1 << 2, .unit = 1, .most = largest_plan},
    [LP_FIND_PROGRAM] = {.lists = 1 << 0 | 1 << 1},
    [LP_EXEC] = {.lists = 1 << 0 | 1 << 1},
    [LP_SCHEDULER] = {.unit = 8, .least = 48, .most = 4096}, // the kernel's SCHED_ATTR_SIZE_VER0
    [LP_AFFINITY] = {.unit = 8, .least = 8, .most = 1024},
    [LP_MEMORY_POLICY] = {.unit = 8, .most = 1024},
    [LP_SECCOMP] = {.unit = 8, .least = 8, .most = 8 * 4096}, // BPF_MAXINSNS
    [LP_IDS] = {.unit = 4, .most = 4 * 65536}, // NGROUPS_MAX
};

// Whether a list lies inside the plan, whose last byte is a NUL, with all its texts.
static bool is_list(const char *plan, size_t size, uint32_t offset) {
    uint32_t count;
    if (offset == 0) return true;
    if (offset > size - sizeof count) return false;
    memcpy(&count, plan + offset, sizeof count);
    size_t at = offset + sizeof count;
    for (; count > 0 && at < size; count--) at += strlen(plan + at) + 1;
    return count == 0;
}

static bool is_step(const char *plan, size_t size, const struct lp_step *step) {
    static const struct shape none;
    const struct shape *shape = step->operation < LP_OPERATIONS ? &shapes[step->operation] : &none;
    for (uint32_t t = 0; t < LP_TEXTS; t++) {
        if (step->text[t] >= size) return false;
        if (shape->lists >> t & 1 && !is_list(plan, size, step->text[t])) return false;
    }
    if (step->blob > size || step->blob_size > size - step->blob) return false;
    if (step->blob_size < shape->least || step->blob_size > shape->most) return false;
    // What is read in place lies as its type wants it.
    if (step->blob_size && (step->blob % shape->unit != 0 || step->blob_size % shape->unit != 0)) return false;
    if (step->operation != LP_SCHEDULER) return true;
    // The kernel reads as much as the structure says that it is.
    uint32_t said;
    memcpy(&said, plan + step->blob, sizeof said);
    return said <= step->blob_size;
}

// The plan comes from the engine, but a version that does not fit must end here and not as a wild pointer.
bool is_plan(const char *plan, size_t size, uint32_t descriptors) {
    if (size < sizeof(struct lp_header) || size > largest_plan || plan[size - 1] != 0) return false;
    const struct lp_header *header = (const struct lp_header *)(const void *)plan;
    if (header->magic != LP_MAGIC || header->version != LP_VERSION || header->size != size ||
        header->descriptors != descriptors || header->steps % 8 != 0 || header->steps > size ||
        header->step_count > (size - header->steps) / sizeof(struct lp_step))
        return false;
    const struct lp_step *steps = (const struct lp_step *)(const void *)(plan + header->steps);
    for (uint32_t i = 0; i < header->step_count; i++)
        if (!is_step(plan, size, &steps[i])) return false;
    return true;
}

// Maps the plan of an open file, which is closed.
void load_plan(struct shim *shim, int file) {
    struct stat status;
    if (fstat(file, &status) != 0) report_failure(shim, errno);
    size_t size = status.st_size < 0 || status.st_size > largest_plan ? 0 : (size_t)status.st_size;
    if (size < sizeof(struct lp_header)) report_failure(shim, EPROTO);
    const char *plan = mmap(NULL, size, PROT_READ, MAP_PRIVATE, file, 0);
    if (plan == MAP_FAILED) report_failure(shim, errno);
    close(file);
    if (!is_plan(plan, size, shim->descriptor_count)) {
        fail_with(EPROTO, "the shim and the engine are of different versions");
        report_failure(shim, EPROTO);
    }
    shim->plan = plan;
    shim->header = (const struct lp_header *)(const void *)plan;
    shim->steps = (const struct lp_step *)(const void *)(plan + shim->header->steps);
}

const char *text_of(const struct shim *shim, const struct lp_step *step, int index) {
    return step->text[index] ? shim->plan + step->text[index] : "";
}

// The texts of a list as an array in `space`, NULL at its end; NULL where there are too many.
char **list_of(const struct shim *shim, uint32_t offset, char **space, size_t capacity) {
    uint32_t count = 0;
    if (offset) memcpy(&count, shim->plan + offset, sizeof count);
    if (count >= capacity) return NULL;
    char *at = (char *)(uintptr_t)(shim->plan + offset + sizeof count);
    for (uint32_t i = 0; i < count; i++) {
        space[i] = at;
        at += strlen(at) + 1;
    }
    space[count] = NULL;
    return space;
}
