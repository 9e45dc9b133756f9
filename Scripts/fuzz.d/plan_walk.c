// The shim's main.c, whose tables are its own, and a way to begin a walk: for plan.c.
#define main shim_main
#include "main.c"
#undef main

#include "plan_walk.h"

void walk_plan(int is_monitor) {
    struct shim shim = {.root = -1, .barrier = -1, .mask = -1, .control = 3, .phase = is_monitor ? 0 : 1, .wanted_umask = 022};
    for (size_t i = 0; i < LP_SLOTS; i++) shim.slots[i] = -1;
    if (is_monitor) {
        load_plan(&shim, receive_plan(&shim));
        walk(&shim, monitor_steps);
    }
    shim.barrier = 4;
    become_container(&shim);
}
