// SPDX-License-Identifier: GPL-2.0
/* Segments that wait for their acknowledgement are in a tree of their own (since 4.15). */
#include <net/sock.h>

extern char answer[sizeof(((struct sock *)0)->tcp_rtx_queue)];
