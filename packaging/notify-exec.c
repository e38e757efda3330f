/*
 * notify-exec PROGRAM ARGUMENT...
 *
 * Becomes PROGRAM with a connected socket of systemd's notification protocol (sd_notify(3)) as the descriptor that
 * NOTIFY_FD names. Node.js has no datagram sockets of the UNIX domain, but it can write to a descriptor, and what it
 * writes carries its own process id, as NotifyAccess=main demands.
 *
 * NOTIFY_SOCKET is taken out of the environment, so that no child speaks for the service. Where the socket cannot be
 * had, the program runs without it: it is better watched by nobody than not there.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Gives a descriptor that survives exec and never blocks its writer, or -1 with errno. */
static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = strlen(path);
	int fd;

	if (length >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(address.sun_path, path, length);
	/* An abstract address begins with a zero byte, which is written as "@". */
	if (path[0] == '@')
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&address, offsetof(struct sockaddr_un, sun_path) + length) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

int main(int argc, char **argv)
{
	const char *path = getenv("NOTIFY_SOCKET");
	char number[16];
	int fd;

	if (argc < 2) {
		fprintf(stderr, "usage: notify-exec PROGRAM ARGUMENT...\n");
		return 64;
	}
	if (path && *path) {
		fd = connect_to(path);
		if (fd < 0)
			fprintf(stderr, "ktc: systemd's socket %s: %s\n", path, strerror(errno));
		else {
			snprintf(number, sizeof(number), "%d", fd);
			setenv("NOTIFY_FD", number, 1);
		}
	}
	unsetenv("NOTIFY_SOCKET");
	execv(argv[1], argv + 1);
	fprintf(stderr, "ktc: %s: %s\n", argv[1], strerror(errno));
	return 69;
}
