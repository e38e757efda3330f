// SPDX-License-Identifier: GPL-2.0
/* A tracepoint's registration callback cannot fail (before 4.10). */
#include <linux/kernel.h>
#include <linux/tracepoint.h>

#include "question.h"

typedef typeof(((struct tracepoint *)0)->regfunc) regfunc;
ASK(__builtin_types_compatible_p(regfunc, void (*)(void)));
