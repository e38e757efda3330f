/*
 * Processes that wait in accept(), and one connection for each of them, at a moment that the caller chooses.
 *
 *   acceptors KIND PROCESSES [CLIENT_KIND]
 *
 * A kind is ipv4, ipv6, mptcp (over IPv4) or unix. Says {"waiting":PROCESSES} when all of them wait; makes the
 * connections when its standard input ends; says {"accepted":N,"port":PORT} when each process has accepted one and
 * ended.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

static void die(const char *what)
{
	fprintf(stderr, "acceptors: %s: %s\n", what, strerror(errno));
	exit(1);
}

union address {
	struct sockaddr any;
	struct sockaddr_in ipv4;
	struct sockaddr_in6 ipv6;
	struct sockaddr_un path;
};

static int open_socket(const char *kind, union address *address, socklen_t *length)
{
	memset(address, 0, sizeof(*address));
	if (strcmp(kind, "ipv6") == 0) {
		address->ipv6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback };
		*length = sizeof(address->ipv6);
		return socket(AF_INET6, SOCK_STREAM, 0);
	}
	if (strcmp(kind, "unix") == 0) {
		/* An abstract name, which is gone with the socket. */
		address->path = (struct sockaddr_un){ .sun_family = AF_UNIX, .sun_path = "\0acceptors" };
		*length = sizeof(address->path);
		return socket(AF_UNIX, SOCK_STREAM, 0);
	}
	address->ipv4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	*length = sizeof(address->ipv4);
	return socket(AF_INET, SOCK_STREAM, strcmp(kind, "mptcp") == 0 ? IPPROTO_MPTCP : 0);
}

static void accept_one(int listener)
{
	int fd = accept(listener, NULL, NULL);
	char byte;

	if (fd < 0)
		die("accept");
	/* Until the client has ended, so that no connection ends before all are made. */
	_exit(read(fd, &byte, 1) != 0);
}

/* Whether a process sleeps. Those of ours sleep nowhere but in accept(). */
static int is_asleep(pid_t pid)
{
	char path[64], state = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "r");
	if (!file || fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
		die(path);
	fclose(file);
	return state == 'S';
}

int main(int argc, char **argv)
{
	const int count = argc > 2 ? atoi(argv[2]) : 0;
	struct rlimit files;
	union address address;
	socklen_t length;
	pid_t *children = calloc(count, sizeof(*children));
	int *clients = calloc(count, sizeof(*clients));
	int listener, i, accepted = 0;
	char byte;

	if (count <= 0 || !children || !clients) {
		fprintf(stderr, "usage: acceptors KIND PROCESSES [CLIENT_KIND]\n");
		return 64;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		die("getrlimit");
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files) < 0)
		die("setrlimit");
	listener = open_socket(argv[1], &address, &length);
	if (listener < 0 || bind(listener, &address.any, length) < 0 || listen(listener, 128) < 0 ||
	    getsockname(listener, &address.any, &length) < 0)
		die("listen");
	for (i = 0; i < count; i++) {
		children[i] = fork();
		if (children[i] < 0)
			die("fork");
		if (children[i] == 0)
			accept_one(listener);
	}
	for (i = 0; i < count; i++)
		while (!is_asleep(children[i]))
			usleep(1000);
	printf("{\"waiting\":%d}\n", count);

	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	for (i = 0; i < count; i++) {
		union address unused;
		socklen_t same;

		clients[i] = open_socket(argc > 3 ? argv[3] : argv[1], &unused, &same);
		if (clients[i] < 0 || connect(clients[i], &address.any, length) < 0)
			die("connect");
	}
	for (i = 0; i < count; i++)
		close(clients[i]);
	for (i = 0; i < count; i++) {
		int status;

		if (waitpid(children[i], &status, 0) == children[i] && status == 0)
			accepted++;
	}
	printf("{\"accepted\":%d,\"port\":%d}\n", accepted,
	       address.any.sa_family == AF_UNIX ? 0 : ntohs(address.ipv4.sin_port));
	return 0;
}
