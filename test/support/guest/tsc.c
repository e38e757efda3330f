/*
 * Prints the frequency of this host's time-stamp counter in kHz. A guest that counts it itself, while its emulated CPUs
 * get little of the host's, is wrong by any factor.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

struct moment {
	double nanoseconds;
	double ticks;
};

static double monotonic(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e9 + now.tv_nsec;
}

/* Both clocks at one moment: of many looks the quickest, in which nothing came between them. */
static struct moment look(void)
{
	struct moment best = { 0, 0 };
	double quickest = 1e18;

	for (int count = 0; count < 1000; count++) {
		double before = monotonic();
		double ticks = __rdtsc();
		double after = monotonic();

		if (after - before >= quickest)
			continue;
		quickest = after - before;
		best = (struct moment){ (before + after) / 2, ticks };
	}
	return best;
}

int main(void)
{
	struct timespec pause = { 0, 50 * 1000 * 1000 };
	struct moment first = look();

	nanosleep(&pause, NULL);

	struct moment last = look();

	printf("%.0f\n", (last.ticks - first.ticks) * 1e6 / (last.nanoseconds - first.nanoseconds));
	return 0;
}
