#include "include/launch_plan.h"
