// SPDX-License-Identifier: GPL-2.0
/* What every supported kernel has. If this does not compile, no other answer means anything. */
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/tracepoint.h>
#include <net/tcp.h>

MODULE_LICENSE("GPL");
