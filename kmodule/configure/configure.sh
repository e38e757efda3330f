#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# usage: configure.sh KDIR
#
# Compiles each HAS_*.c here against the kernel headers in KDIR and writes has.h, which defines the names of
# those that compile. A probe that fails for another reason than its question leads to a branch of compat.h that
# does not compile, so a wrong answer stops the build; sanity.c, which every kernel must be able to compile,
# tells that case apart.

cd "$(dirname "$0")" || exit 1
kdir=$1

# An object of another kernel would be taken for an answer of this one.
rm -f ./*.o
# In English for whoever is sent the log. Most probes are meant to fail, hence -k.
LC_ALL=C ${MAKE:-make} -k -C "$kdir" M="$PWD" modules >log 2>&1

if [ ! -f sanity.o ]; then
	{
		echo "The headers in $kdir or the compiler cannot build any kernel module. First errors:"
		grep -iE 'error|not found|No such file|Stop\.' log | grep -v 'HAS_' | head -n 10
		echo "Everything is in $PWD/log."
	} >&2
	exit 1
fi

for probe in HAS_*.c; do
	name=${probe%.c}
	if [ -f "$name.o" ]; then echo "#define $name"; else echo "/* no $name */"; fi
done >has.h.new
# An unchanged file keeps its time, so that nothing is compiled again.
if cmp -s has.h.new has.h; then rm has.h.new; else mv has.h.new has.h; fi
sed -n 's/^#define \(.*\)/Kernel \1/p' has.h
