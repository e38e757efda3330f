// SPDX-License-Identifier: GPL-2.0
/* There is a grace period of its own for code that runs without preemption (before 5.1). */
#include <linux/rcupdate.h>

#include "question.h"

ASK_NAME(synchronize_sched);
