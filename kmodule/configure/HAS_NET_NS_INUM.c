// SPDX-License-Identifier: GPL-2.0
/* A network namespace has its inode number in ns (since 3.19), else it is proc_inum. */
#include <net/net_namespace.h>

#include "question.h"

ASK_MEMBER(struct net, ns);
