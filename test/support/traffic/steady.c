/*
 * Connections over loopback at a steady rate, for benches: about ten TCP state changes each.
 *
 *   steady RATE SECONDS [DESTINATIONS [PORT]]
 *
 * RATE connections a second for SECONDS, to 127.0.0.1 ... 127.0.0.DESTINATIONS in turn, because the ports
 * of one destination would run out in TIME_WAIT. One process is client and server: over loopback the
 * handshake is over when connect() returns, so nothing has to be waited for. Client and server close
 * first in turn. The server listens on PORT, or on one that the kernel chooses. Prints one JSON object at the
 * end, which SIGTERM brings about early.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Short enough for an even rate, long enough to sleep most of the time. */
#define TICK_NS 2000000ULL

static void die(const char *what)
{
	fprintf(stderr, "steady: %s: %s\n", what, strerror(errno));
	exit(1);
}

static volatile sig_atomic_t stopped;

static void stop(int number)
{
	(void)number;
	stopped = 1;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static double cpu_seconds(void)
{
	struct rusage use;

	getrusage(RUSAGE_SELF, &use);
	return use.ru_utime.tv_sec + use.ru_stime.tv_sec + (use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

static int listen_on(uint16_t port, struct sockaddr_in *address)
{
	socklen_t size = sizeof(*address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*address = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port) };
	if (fd < 0 || bind(fd, (struct sockaddr *)address, size) < 0 || listen(fd, 128) < 0)
		die("listen");
	getsockname(fd, (struct sockaddr *)address, &size);
	return fd;
}

/* Opens and closes one connection. 0 or -1. */
static int connect_once(int listener, const struct sockaddr_in *address, int server_first)
{
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), server;

	if (client < 0)
		die("socket");
	if (connect(client, (const struct sockaddr *)address, sizeof(*address)) < 0) {
		close(client);
		return -1;
	}
	server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (server < 0)
		die("accept");
	close(server_first ? server : client);
	close(server_first ? client : server);
	return 0;
}

int main(int count, char **arguments)
{
	double rate = count > 1 ? atof(arguments[1]) : 0, seconds = count > 2 ? atof(arguments[2]) : 0;
	uint32_t destinations = count > 3 ? strtoul(arguments[3], NULL, 10) : 64;
	uint32_t port = count > 4 ? strtoul(arguments[4], NULL, 10) : 0;
	uint64_t begin, end, started = 0, failed = 0;
	struct sockaddr_in address;
	int listener;

	if (rate <= 0 || seconds <= 0 || destinations < 1 || destinations > 254 || port > 65535) {
		fprintf(stderr, "usage: steady RATE SECONDS [DESTINATIONS (1 to 254) [PORT]]\n");
		return 2;
	}
	signal(SIGTERM, stop);
	listener = listen_on(port, &address);
	begin = now_ns();
	end = begin + (uint64_t)(seconds * 1e9);
	for (uint64_t tick = begin; tick < end && !stopped; tick += TICK_NS) {
		uint64_t due = (uint64_t)((now_ns() - begin) / 1e9 * rate);
		struct timespec until = { .tv_sec = (tick + TICK_NS) / 1000000000,
					  .tv_nsec = (tick + TICK_NS) % 1000000000 };

		for (; started < due && now_ns() < end; started++) {
			address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + started % destinations);
			failed += connect_once(listener, &address, started % 2) < 0;
		}
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
	}
	seconds = (now_ns() - begin) / 1e9;
	printf("{\"connections\":%llu,\"failed\":%llu,\"seconds\":%.3f,\"per_second\":%.1f,\"cpu_seconds\":%.6f}\n",
	       (unsigned long long)(started - failed), (unsigned long long)failed, seconds,
	       (started - failed) / seconds, cpu_seconds());
	return failed ? 1 : 0;
}
