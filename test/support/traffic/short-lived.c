/*
 * Processes that connect over loopback and end at once.
 *
 *   short-lived KIND PROCESSES [BUSY]
 *
 * What each of them does between fork(2) and connect(2), by KIND:
 *   rename  gives itself a name
 *   exec    runs this program again
 *   thread  makes a thread with a name, which connects and ends while its process lives
 *   true    runs /bin/true and does not connect
 *
 *   short-lived connect PORT [NAME]
 *
 * is one process that connects, with a name, and ends with its standard input.
 *
 * Prints a line of JSON for each: {"pid":PROCESS,"comm":"NAME","remote_port":PORT}. BUSY other processes compute all the
 * while, with names and process ids of their own.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_BUSY 16

static char name[16];
static struct sockaddr_in server = { .sin_family = AF_INET };

static void die(const char *what)
{
	fprintf(stderr, "short-lived: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int connect_once(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd < 0 || connect(fd, (struct sockaddr *)&server, sizeof(server)) != 0;
}

static void *connect_in_thread(void *failed)
{
	prctl(PR_SET_NAME, name);
	*(int *)failed = connect_once();
	return NULL;
}

static void run_child(const char *program, const char *kind)
{
	if (strcmp(kind, "exec") == 0) {
		char port[6];

		snprintf(port, sizeof(port), "%d", ntohs(server.sin_port));
		execl(program, program, "connect", port, (char *)NULL);
		_exit(1);
	}
	if (strcmp(kind, "true") == 0) {
		execl("/bin/true", "true", (char *)NULL);
		_exit(1);
	}
	if (strcmp(kind, "thread") == 0) {
		pthread_t thread;
		int failed = 1;

		if (pthread_create(&thread, NULL, connect_in_thread, &failed) == 0)
			pthread_join(thread, NULL);
		_exit(failed);
	}
	prctl(PR_SET_NAME, name);
	_exit(connect_once());
}

static int connect_as(const char *own_name, int port)
{
	char byte;
	int failed;

	server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	server.sin_port = htons(port);
	if (own_name != NULL)
		prctl(PR_SET_NAME, own_name);
	failed = connect_once();
	if (own_name != NULL)
		while (read(STDIN_FILENO, &byte, 1) > 0)
			;
	return failed;
}

static int open_listener(void)
{
	socklen_t length = sizeof(server);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&server, length) != 0 || listen(fd, 16) != 0)
		die("listen");
	if (getsockname(fd, (struct sockaddr *)&server, &length) != 0)
		die("getsockname");
	return fd;
}

int main(int count, char **words)
{
	const char *base = strrchr(words[0], '/');
	pid_t busy[MAX_BUSY];
	int processes, busy_count, listener, status;

	if (count >= 3 && strcmp(words[1], "connect") == 0)
		return connect_as(count > 3 ? words[3] : NULL, atoi(words[2]));
	if (count < 3) {
		fprintf(stderr, "usage: short-lived rename|exec|thread|true PROCESSES [BUSY]\n");
		return 2;
	}
	processes = atoi(words[2]);
	busy_count = count > 3 ? atoi(words[3]) : 0;
	if (busy_count > MAX_BUSY)
		busy_count = MAX_BUSY;
	listener = open_listener();
	for (int index = 0; index < busy_count; index++) {
		busy[index] = fork();
		if (busy[index] == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (;;)
				getppid();
		}
	}
	for (int index = 0; index < processes; index++) {
		pid_t child;

		snprintf(name, sizeof(name), "short-%u", index % 100000U);
		child = fork();
		if (child < 0)
			die("fork");
		if (child == 0)
			run_child(words[0], words[1]);
		if (strcmp(words[1], "true") != 0)
			close(accept(listener, NULL, NULL));
		if (waitpid(child, &status, 0) != child || status != 0)
			die("a child could not connect");
		if (strcmp(words[1], "exec") == 0)
			snprintf(name, sizeof(name), "%.15s", base == NULL ? words[0] : base + 1);
		printf("{\"pid\":%d,\"comm\":\"%s\",\"remote_port\":%d}\n", child, name, ntohs(server.sin_port));
	}
	for (int index = 0; index < busy_count; index++)
		kill(busy[index], SIGKILL);
	return 0;
}
