// SPDX-License-Identifier: Apache-2.0
/*
 * Many short connections at a steady rate beside a few long ones, and the server for both (rush-serve.h).
 *
 * rush serve PORT
 *     Prints "ready". A connection that says 'q' gets a byte and is closed by the server, one that says anything else
 *     gets its bytes back; a datagram gets the server's process id.
 *
 * rush ask RATE STREAMS ADDRESS PORT ...
 *     RATE new connections a second over all targets in turn, 'q' each; STREAMS long ones for each target that
 *     say 's' every 50 ms and wait for the echo. An address "udp:ADDRESS" has streams of datagrams alone, from
 *     connected sockets, "udpto:ADDRESS" from sockets that are not; "moved" counts those that another server
 *     answers than before. Once stdin says something nothing new begins, what has begun ends, and a line of JSON
 *     says what became of it.
 */
#define _GNU_SOURCE /* accept4 */
#include "rush-conn.h"
#include "rush-serve.h"

#define MAX_TARGETS 16
#define PATIENCE_MS 10000
#define BEAT_MS 50

static long asked, answered, refused, reset, timed_out, other, beats, streams_lost, moved;

static void lost(int fd, int error)
{
	if (conns[fd].kind == STREAM || conns[fd].kind == DATAGRAMS)
		streams_lost++;
	if (error == ECONNREFUSED)
		refused++;
	else if (error == ECONNRESET || error == EPIPE)
		reset++;
	else if (error == ETIMEDOUT)
		timed_out++;
	else
		other++;
	forget(fd);
}

static struct target parse_target(const char *address, const char *port)
{
	const char *colon = strstr(address, "udp:") == address     ? address + 3
			    : strstr(address, "udpto:") == address ? address + 5
								   : NULL;
	struct target t = {.type = colon ? SOCK_DGRAM : SOCK_STREAM, .connects = !colon || colon == address + 3};
	struct sockaddr_in *v4 = (void *)&t.address;
	struct sockaddr_in6 *v6 = (void *)&t.address;
	address = colon ? colon + 1 : address;
	if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(atoi(port));
		t.length = sizeof(*v4);
	} else if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(atoi(port));
		t.length = sizeof(*v6);
	} else {
		die(address);
	}
	return t;
}

static void begin(const struct target *target, enum kind kind)
{
	int one = 1, fd = socket(target->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (fd < 0)
		die("socket");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	watch(fd, kind, EPOLLIN | EPOLLOUT | EPOLLET);
	alive++;
	asked += kind == SHORT;
	if (connect(fd, (const void *)&target->address, target->length) && errno != EINPROGRESS)
		lost(fd, errno);
}

static void say(int fd, char byte)
{
	const struct target *to = conns[fd].target;
	const void *address = to && !to->connects ? &to->address : NULL;
	conns[fd].answered = false;
	conns[fd].since_ms = now_ms();
	if (sendto(fd, &byte, 1, MSG_NOSIGNAL, address, address ? to->length : 0) != 1)
		lost(fd, errno);
}

static void begin_datagrams(const struct target *target)
{
	int fd = socket(target->address.ss_family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	if (fd < 0)
		die("socket");
	if (target->connects && connect(fd, (const void *)&target->address, target->length))
		die("connect");
	watch(fd, DATAGRAMS, EPOLLIN | EPOLLET);
	conns[fd].target = target;
	alive++;
	say(fd, 's');
}

/* Whether an answer came from where the datagram went, as far as the application can see. */
static bool same_end(const struct sockaddr_storage *from, const struct target *to)
{
	const struct sockaddr_in *a4 = (const void *)from, *b4 = (const void *)&to->address;
	const struct sockaddr_in6 *a6 = (const void *)from, *b6 = (const void *)&to->address;
	if (from->ss_family != to->address.ss_family)
		return false;
	if (from->ss_family == AF_INET)
		return a4->sin_port == b4->sin_port && a4->sin_addr.s_addr == b4->sin_addr.s_addr;
	return a6->sin6_port == b6->sin6_port && !memcmp(&a6->sin6_addr, &b6->sin6_addr, 16);
}

static void hear_datagrams(int fd)
{
	struct conn *c = &conns[fd];
	struct sockaddr_storage from;
	int server;
	for (;;) {
		socklen_t length = sizeof(from);
		ssize_t n = recvfrom(fd, &server, sizeof(server), 0, (void *)&from, &length);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n != sizeof(server))
			return lost(fd, n < 0 ? errno : EPROTO);
		if (!same_end(&from, c->target))
			return lost(fd, EPROTO);
		moved += c->server && c->server != server;
		c->server = server;
		c->answered = true;
		beats++;
	}
}

static void hear(int fd, unsigned int events)
{
	struct conn *c = &conns[fd];
	char bytes[64];
	if (!c->open) {
		int error = 0;
		socklen_t length = sizeof(error);
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
		if (error)
			return lost(fd, error);
		if (!(events & EPOLLOUT))
			return;
		c->open = true;
		say(fd, c->kind == SHORT ? 'q' : 's');
		if (conns[fd].kind == FREE)
			return;
	}
	for (;;) {
		ssize_t n = recv(fd, bytes, sizeof(bytes), 0);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			return lost(fd, errno);
		if (n == 0 && c->kind == SHORT && c->answered) {
			answered++;
			return forget(fd);
		}
		if (n == 0)
			return lost(fd, ECONNRESET);
		beats += c->kind == STREAM;
		c->answered = true;
	}
}

/* The beat of streams, and the end of what takes too long. */
static void look_at_all(bool ending)
{
	long now = now_ms();
	for (int fd = 0; fd < MAX_FDS; fd++) {
		struct conn *c = &conns[fd];
		bool lasts = c->kind == STREAM || c->kind == DATAGRAMS;
		if (c->kind != SHORT && !lasts)
			continue;
		if (lasts && c->answered && ending)
			forget(fd);
		else if (lasts && c->answered && now - c->since_ms >= BEAT_MS)
			say(fd, 's');
		else if (!(lasts && c->answered) && now - c->since_ms >= PATIENCE_MS)
			lost(fd, ETIMEDOUT);
	}
}

static void step(int timeout_ms, bool *ending)
{
	struct epoll_event events[512];
	int n = epoll_wait(epfd, events, 512, timeout_ms);
	for (int i = 0; i < n; i++) {
		int fd = events[i].data.fd;
		char byte;
		switch (conns[fd].kind) {
		case SHORT:
		case STREAM:
			hear(fd, events[i].events);
			break;
		case DATAGRAMS:
			hear_datagrams(fd);
			break;
		case STDIN:
			(void)!read(fd, &byte, 1);
			epoll_ctl(epfd, EPOLL_CTL_DEL, fd, NULL);
			*ending = true;
			break;
		default:
			break;
		}
	}
}

static void run_client(long rate, int streams, const struct target *targets, int count)
{
	bool ending = false;
	long begun = now_ms(), looked = begun;
	const struct target *connecting[MAX_TARGETS];
	int connections = 0;
	watch(0, STDIN, EPOLLIN);
	for (int i = 0; i < count; i++)
		if (targets[i].type == SOCK_STREAM)
			connecting[connections++] = &targets[i];
	for (int i = 0; i < streams * count; i++) {
		if (targets[i % count].type == SOCK_STREAM)
			begin(&targets[i % count], STREAM);
		else
			begin_datagrams(&targets[i % count]);
	}
	puts("ready");
	fflush(stdout);
	while (!ending || alive > 0) {
		long now = now_ms();
		long due = (now - begun) * rate / 1000;
		/* What a busy machine held up is not made up for all at once. */
		for (int i = 0; !ending && connections && asked < due && i < 64; i++)
			begin(connecting[asked % connections], SHORT);
		if (now - looked >= 10) {
			look_at_all(ending);
			looked = now;
		}
		step(1, &ending);
	}
	printf("{\"asked\":%ld,\"answered\":%ld,\"refused\":%ld,\"reset\":%ld,\"timedOut\":%ld,\"other\":%ld,"
	       "\"beats\":%ld,\"streamsLost\":%ld,\"moved\":%ld,\"ms\":%ld}\n",
	       asked, answered, refused, reset, timed_out, other, beats, streams_lost, moved, now_ms() - begun);
}

int main(int argc, char **argv)
{
	struct target targets[MAX_TARGETS];
	struct rlimit files = {MAX_FDS, MAX_FDS};
	setrlimit(RLIMIT_NOFILE, &files);
	epfd = epoll_create1(0);
	if (argc == 3 && !strcmp(argv[1], "serve")) {
		run_server(atoi(argv[2]));
		return 0;
	}
	if (argc < 6 || argc % 2 || strcmp(argv[1], "ask") || (argc - 4) / 2 > MAX_TARGETS) {
		fputs("usage: rush serve PORT | rush ask RATE STREAMS ADDRESS PORT ...\n", stderr);
		return 2;
	}
	for (int i = 4; i < argc; i += 2)
		targets[(i - 4) / 2] = parse_target(argv[i], argv[i + 1]);
	run_client(atol(argv[2]), atoi(argv[3]), targets, (argc - 4) / 2);
	return 0;
}
