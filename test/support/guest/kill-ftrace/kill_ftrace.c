// SPDX-License-Identifier: GPL-2.0
/*
 * Does to ftrace what ftrace does to itself when it finds code that it did not expect (ftrace_bug()): from then on
 * it refuses to patch anything until the kernel boots again. The function is not exported.
 */
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 7, 0)
static unsigned long find(const char *name)
{
	return kallsyms_lookup_name(name);
}
#else
/* A kprobe, which nothing is patched by while it is disabled, finds what is not exported. EL7 refuses one here. */
static unsigned long find(const char *name)
{
	struct kprobe probe = { .symbol_name = name, .flags = KPROBE_FLAG_DISABLED };

	if (register_kprobe(&probe))
		return 0;
	unregister_kprobe(&probe);
	return (unsigned long)probe.addr;
}
#endif

static int __init kill_ftrace_init(void)
{
	void (*kill)(void) = (void (*)(void))find("ftrace_kill");

	if (!kill)
		return -ENOENT;
	kill();
	return 0;
}

static void __exit kill_ftrace_exit(void)
{
}

module_init(kill_ftrace_init);
module_exit(kill_ftrace_exit);

MODULE_LICENSE("GPL");
