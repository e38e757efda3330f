/*
 * TCP traffic of an exact shape, with its own log: what a test compares the agent's events with.
 *
 *   connections serve   ADDRESS PORT
 *   connections request ADDRESS PORT CONNECTIONS CONCURRENCY REQUEST_BYTES RESPONSE_BYTES
 *
 * An address with a colon makes AF_INET6 sockets, so ::ffff:10.0.0.1 is IPv4 through IPv6 sockets.
 * Each connection carries one request and one response and is closed by the client, by the server, or
 * by the client with a reset, in turn. Both sides print one JSON object a connection; the server says
 * {"listening":true} first, ends at the end of its standard input and when it has nothing open.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum closer { BY_CLIENT, BY_SERVER, BY_RESET };
static const char *const closer_names[] = { "client", "server", "reset" };

/* First bytes of a request. Both ends are the same program on the same machine: host byte order will do. */
struct header {
	uint32_t request_bytes; /* this header included */
	uint32_t response_bytes;
	uint32_t closer;
};

struct connection {
	struct header header;
	uint64_t started_us, deadline_us;
	uint32_t sent, received;
	struct sockaddr_in6 local, remote;
	struct connection *previous, *next;
	int fd;
};

/* A reset may be lost on the way, and nothing would ever tell the server. */
#define RESET_WAIT_US 2000000
/* Beyond any wait for retransmits that a few percent of loss can cause. */
#define CONNECTION_WAIT_US 120000000
#define MAX_EVENTS 256

static int poller;
static int is_server;
static struct connection open_list = { .previous = &open_list, .next = &open_list };
static uint32_t open_count, failed_count;
static uint8_t chunk[65536];

static void die(const char *what)
{
	fprintf(stderr, "connections: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void watch(struct connection *c, int operation, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = c };

	if (epoll_ctl(poller, operation, c->fd, &event) < 0)
		die("epoll_ctl");
}

static struct connection *connection_new(int fd)
{
	struct connection *c = calloc(1, sizeof(*c));

	if (!c)
		die("calloc");
	c->fd = fd;
	c->started_us = now_us();
	c->deadline_us = c->started_us + CONNECTION_WAIT_US;
	c->next = open_list.next;
	c->previous = &open_list;
	c->next->previous = c->previous->next = c;
	open_count++;
	return c;
}

static int port_of(const struct sockaddr_in6 *address)
{
	return ntohs(address->sin6_port); /* at the same place in sockaddr_in */
}

static const char *text_of(const struct sockaddr_in6 *address, char *text)
{
	if (getnameinfo((const struct sockaddr *)address, sizeof(*address), text, NI_MAXHOST, NULL, 0,
			NI_NUMERICHOST) != 0)
		strcpy(text, "");
	return text;
}

/* Closes, logs and forgets the connection. */
static void finish(struct connection *c, int error)
{
	char local[NI_MAXHOST], remote[NI_MAXHOST];
	struct linger abort_now = { .l_onoff = 1, .l_linger = 0 };

	if (!is_server && c->header.closer == BY_RESET)
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &abort_now, sizeof(abort_now));
	close(c->fd);
	printf("{\"side\":\"%s\",\"pid\":%d,\"local_address\":\"%s\",\"local_port\":%d,"
	       "\"remote_address\":\"%s\",\"remote_port\":%d,\"bytes_sent\":%u,\"bytes_received\":%u,"
	       "\"closed_by\":\"%s\",\"duration_us\":%llu,\"error\":%s%s%s}\n",
	       is_server ? "server" : "client", getpid(), text_of(&c->local, local), port_of(&c->local),
	       text_of(&c->remote, remote), port_of(&c->remote), c->sent, c->received,
	       closer_names[c->header.closer], (unsigned long long)(now_us() - c->started_us),
	       error ? "\"" : "", error ? strerror(error) : "null", error ? "\"" : "");
	failed_count += error != 0;
	c->previous->next = c->next;
	c->next->previous = c->previous;
	free(c);
	open_count--;
}

/* Sends up to `total` bytes in all; `first` stands at the start of the stream. 1: all sent, 0: later, -1: errno. */
static int send_up_to(struct connection *c, uint32_t total, const void *first, uint32_t first_bytes)
{
	while (c->sent < total) {
		const uint8_t *from = c->sent < first_bytes ? (const uint8_t *)first + c->sent : chunk;
		uint32_t left = (c->sent < first_bytes ? first_bytes : total) - c->sent;
		int more = c->sent + left < total ? MSG_MORE : 0;
		ssize_t n = send(c->fd, from, left < sizeof(chunk) ? left : sizeof(chunk), MSG_NOSIGNAL | more);

		if (n < 0)
			return errno == EAGAIN ? 0 : -1;
		c->sent += n;
	}
	return 1;
}

/* Receives what is there. 1: end of stream, 0: later, -1: errno. */
static int receive_all(struct connection *c)
{
	for (;;) {
		uint8_t *to = chunk;
		uint32_t room = sizeof(chunk);
		ssize_t n;

		if (is_server && c->received < sizeof(c->header)) {
			to = (uint8_t *)&c->header + c->received;
			room = sizeof(c->header) - c->received;
		}
		n = recv(c->fd, to, room, 0);
		if (n == 0)
			return 1;
		if (n < 0)
			return errno == EAGAIN ? 0 : -1;
		c->received += n;
	}
}

static void serve_connection(struct connection *c)
{
	int received = receive_all(c);

	if (received < 0) {
		finish(c, errno == ECONNRESET && c->header.closer == BY_RESET ? 0 : errno);
		return;
	}
	if (c->received < sizeof(c->header) || c->received < c->header.request_bytes) {
		if (received > 0)
			finish(c, EPROTO);
		return;
	}
	if (c->header.closer > BY_RESET) {
		c->header.closer = BY_CLIENT;
		finish(c, EPROTO);
		return;
	}
	switch (send_up_to(c, c->header.response_bytes, NULL, 0)) {
	case -1:
		finish(c, errno == ECONNRESET && c->header.closer == BY_RESET ? 0 : errno);
		return;
	case 0:
		return;
	}
	if (received > 0 || c->header.closer == BY_SERVER)
		finish(c, 0);
	else if (c->header.closer == BY_RESET && c->deadline_us > now_us() + RESET_WAIT_US)
		c->deadline_us = now_us() + RESET_WAIT_US;
}

static void request_connection(struct connection *c)
{
	socklen_t size = sizeof(c->local);
	int received;

	if (!port_of(&c->local))
		getsockname(c->fd, (struct sockaddr *)&c->local, &size);
	switch (send_up_to(c, c->header.request_bytes, &c->header, sizeof(c->header))) {
	case -1:
		finish(c, errno);
		return;
	case 0:
		return;
	}
	watch(c, EPOLL_CTL_MOD, EPOLLIN);
	received = receive_all(c);
	if (received < 0)
		finish(c, errno);
	else if (c->received < c->header.response_bytes) {
		if (received > 0)
			finish(c, EPROTO);
	} else if (received > 0 || c->header.closer != BY_SERVER)
		finish(c, 0);
}

/* One wait and its events; `listener` is the server's own entry. */
static int step(struct connection *listener)
{
	struct epoll_event events[MAX_EVENTS];
	int count = epoll_wait(poller, events, MAX_EVENTS, 500);
	int input_ended = 0;

	for (int i = 0; i < count; i++) {
		struct connection *c = events[i].data.ptr;

		if (!c) {
			input_ended = read(STDIN_FILENO, chunk, sizeof(chunk)) <= 0;
		} else if (c == listener) {
			struct sockaddr_in6 remote;
			socklen_t size = sizeof(remote);
			int fd = accept4(listener->fd, (struct sockaddr *)&remote, &size, SOCK_NONBLOCK);

			if (fd < 0)
				continue;
			c = connection_new(fd);
			c->remote = remote;
			size = sizeof(c->local);
			getsockname(fd, (struct sockaddr *)&c->local, &size);
			/* Edge-triggered: one wake-up for data, room and end of stream alike. */
			watch(c, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT | EPOLLET);
		} else if (is_server) {
			serve_connection(c);
		} else {
			request_connection(c);
		}
	}
	for (struct connection *c = open_list.next, *next; c != &open_list; c = next) {
		next = c->next;
		if (c->deadline_us < now_us())
			finish(c, is_server && c->header.closer == BY_RESET ? 0 : ETIMEDOUT);
	}
	return input_ended;
}

static void serve(const struct addrinfo *address)
{
	struct epoll_event input = { .events = EPOLLIN };
	struct connection listener = { .fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK, 0) };
	int yes = 1, input_ended = 0;

	setsockopt(listener.fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(listener.fd, address->ai_addr, address->ai_addrlen) < 0 || listen(listener.fd, 4096) < 0)
		die("listen");
	watch(&listener, EPOLL_CTL_ADD, EPOLLIN);
	if (epoll_ctl(poller, EPOLL_CTL_ADD, STDIN_FILENO, &input) < 0)
		die("standard input must be a pipe");
	printf("{\"listening\":true}\n");
	fflush(stdout);
	while (!input_ended || open_count) {
		if (step(&listener)) {
			input_ended = 1;
			epoll_ctl(poller, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
		}
	}
}

static void request(const struct addrinfo *address, char **arguments)
{
	uint32_t connections = strtoul(arguments[0], NULL, 10), concurrency = strtoul(arguments[1], NULL, 10);
	uint32_t request_bytes = strtoul(arguments[2], NULL, 10);
	uint32_t response_bytes = strtoul(arguments[3], NULL, 10);

	if (request_bytes < sizeof(struct header))
		request_bytes = sizeof(struct header);
	for (uint32_t started = 0; started < connections || open_count;) {
		while (started < connections && open_count < concurrency) {
			int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
			struct connection *c;

			if (fd < 0)
				die("socket");
			c = connection_new(fd);
			c->header = (struct header){ request_bytes, response_bytes,
						     started % 20 == 0 ? BY_RESET :
						     started % 2	? BY_SERVER :
									  BY_CLIENT };
			memcpy(&c->remote, address->ai_addr, address->ai_addrlen);
			started++;
			if (connect(fd, address->ai_addr, address->ai_addrlen) < 0 && errno != EINPROGRESS)
				finish(c, errno);
			else
				watch(c, EPOLL_CTL_ADD, EPOLLOUT);
		}
		step(NULL);
	}
}

int main(int count, char **arguments)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM };
	struct addrinfo *address;
	int serving = count == 4 && strcmp(arguments[1], "serve") == 0;

	if (!serving && !(count == 8 && strcmp(arguments[1], "request") == 0)) {
		fprintf(stderr, "usage: connections serve ADDRESS PORT\n"
				"       connections request ADDRESS PORT CONNECTIONS CONCURRENCY REQUEST_BYTES "
				"RESPONSE_BYTES\n");
		return 2;
	}
	if (getaddrinfo(arguments[2], arguments[3], &hints, &address) != 0) {
		fprintf(stderr, "connections: %s port %s is no address\n", arguments[2], arguments[3]);
		return 2;
	}
	poller = epoll_create1(EPOLL_CLOEXEC);
	is_server = serving;
	if (serving)
		serve(address);
	else
		request(address, arguments + 4);
	return failed_count ? 1 : 0;
}
