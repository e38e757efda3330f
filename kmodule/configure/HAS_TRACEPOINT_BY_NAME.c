// SPDX-License-Identifier: GPL-2.0
/* Tracepoints are looked up by their name when a probe is attached (before 3.15). */
#include <linux/kernel.h>
#include <linux/tracepoint.h>

#include "question.h"

typedef int (*by_name)(const char *name, void *probe, void *data);
ASK(__builtin_types_compatible_p(typeof(&tracepoint_probe_register), by_name));
