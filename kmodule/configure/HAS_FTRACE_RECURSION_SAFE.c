// SPDX-License-Identifier: GPL-2.0
/* ftrace guards its users against recursion unless they say that they need no guard (before 5.11). */
#include <linux/ftrace.h>

#include "question.h"

ASK_NAME(FTRACE_OPS_FL_RECURSION_SAFE);
