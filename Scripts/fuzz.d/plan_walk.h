#ifndef MINIRUN_PLAN_WALK_H
#define MINIRUN_PLAN_WALK_H

// Receives a plan and walks it, as the monitor or as the child. Does not come back.
void walk_plan(int is_monitor);

#endif
