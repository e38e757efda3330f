/*
 * Tells the kernel of a guest that it has randomness enough. One without jitter entropy (EL7) waits for the times of
 * hundreds of interrupts first, and in a guest next to none come: Node.js then waits in getrandom(2), for ever.
 */
#include <fcntl.h>
#include <linux/random.h>
#include <stdio.h>
#include <sys/ioctl.h>

int main(void)
{
	int bits = 256;
	int device = open("/dev/random", O_RDWR);

	if (device < 0 || ioctl(device, RNDADDTOENTCNT, &bits) < 0) {
		perror("credit-entropy: /dev/random");
		return 1;
	}
	return 0;
}
