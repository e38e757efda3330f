// SPDX-License-Identifier: GPL-2.0
/* ftrace hands registers to its users wrapped in a structure of its own (since 5.11). */
#include <linux/ftrace.h>

#include "question.h"

struct ftrace_regs;
typedef void (*wrapped)(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops, struct ftrace_regs *regs);
ASK(__builtin_types_compatible_p(ftrace_func_t, wrapped));
