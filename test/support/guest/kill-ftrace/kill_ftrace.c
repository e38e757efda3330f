// SPDX-License-Identifier: GPL-2.0
/*
 * Does to ftrace what ftrace does to itself when it finds code that it did not expect (ftrace_bug()): from then on
 * it refuses to patch anything until the kernel boots again. The function is not exported; a kprobe finds it.
 */
#include <linux/kprobes.h>
#include <linux/module.h>

static int __init kill_ftrace_init(void)
{
	struct kprobe probe = { .symbol_name = "ftrace_kill", .flags = KPROBE_FLAG_DISABLED };
	void (*kill)(void);
	int err = register_kprobe(&probe);

	if (err)
		return err;
	kill = (void (*)(void))probe.addr;
	unregister_kprobe(&probe);
	kill();
	return 0;
}

static void __exit kill_ftrace_exit(void)
{
}

module_init(kill_ftrace_init);
module_exit(kill_ftrace_exit);

MODULE_LICENSE("GPL");
