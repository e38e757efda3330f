#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# usage: configure.sh KDIR
#
# Compiles each HAS_*.c here against the kernel headers in KDIR, and its opposite, NO_*.c, and writes has.h, which
# defines the names of those that compile. sanity.c, which every kernel must be able to compile, tells broken headers or
# a broken compiler apart; a question of which not exactly one side compiles has no answer, and stops the build.

cd "$(dirname "$0")" || exit 1
kdir=$1

# An object of another kernel would be taken for an answer of this one.
rm -f ./*.o NO_*.c
for question in HAS_*.c; do
	printf '#define KTC_OPPOSITE\n#include "%s"\n' "$question" >"NO_${question#HAS_}"
done
# In English for whoever is sent the log. Half of the sources are meant to fail, hence -k. The caller's wish for more
# warnings (W) and for sparse (C) is not about these sources.
LC_ALL=C ${MAKE:-make} -k -j "$(nproc)" -C "$kdir" M="$PWD" W= C=0 modules >log 2>&1

# Prints the errors that the log has of the sources that match, and where the rest is.
show_errors() {
	grep -iE 'error|not found|No such file|Stop\.' log | grep "$@" | head -n 10
	echo "Everything is in $PWD/log."
}

if [ ! -f sanity.o ]; then
	echo "The headers in $kdir or the compiler cannot build any kernel module. First errors:" >&2
	show_errors -vE 'HAS_|NO_' >&2
	exit 1
fi

# One line of has.h.
answer() {
	name=${1#HAS_}
	name=${name%.c}
	case $([ -f "HAS_$name.o" ] && echo yes; [ -f "NO_$name.o" ] && echo no) in
	yes) echo "#define HAS_$name" ;;
	no) echo "/* no HAS_$name */" ;;
	*)
		echo "The headers in $kdir answer $1 with neither yes nor no. First errors:" >&2
		show_errors -E "(HAS|NO)_$name" >&2
		return 1
		;;
	esac
}

for question in HAS_*.c; do
	answer "$question" || exit 1
done >has.h.new
# An unchanged file keeps its time, so that nothing is compiled again.
if cmp -s has.h.new has.h; then rm has.h.new; else mv has.h.new has.h; fi
sed -n 's/^#define \(.*\)/Kernel \1/p' has.h
