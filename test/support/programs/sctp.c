// SPDX-License-Identifier: Apache-2.0
// sctp serve ADDRESS PORT NAME: accepts associations; tells each "NAME PEER-ADDRESS PEER-PORT", then sends every message
// back. Prints "ready".
// sctp connect SOURCE ADDRESS PORT: prints "connected" and what the server tells; then, for each line with a number,
// sends a message of so many bytes, takes it back, compares, and prints "echoed NUMBER". Ends with its input.
//
// Bound to one address each, so that associations have no others. One-to-one sockets (RFC 6458 section 4).
#define _GNU_SOURCE
#include <err.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LARGEST = 1 << 20, TIMEOUT_SECONDS = 60 };

static char out[LARGEST], in[LARGEST];

static struct addrinfo *resolve(const char *address, const char *port)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV}, *found;

	if (getaddrinfo(address, port, &hints, &found))
		errx(1, "%s %s: no address and port", address, port);
	return found;
}

static int bound(const struct addrinfo *to)
{
	int fd = socket(to->ai_family, SOCK_STREAM, IPPROTO_SCTP);

	if (fd < 0 || bind(fd, to->ai_addr, to->ai_addrlen))
		err(1, "bind");
	return fd;
}

/* A message may come in pieces. */
static size_t receive(int fd, size_t most)
{
	struct iovec part;
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	size_t got = 0;

	do {
		ssize_t n;

		part = (struct iovec){in + got, most - got};
		n = recvmsg(fd, &message, 0);
		if (n <= 0)
			return 0;
		got += n;
	} while (!(message.msg_flags & MSG_EOR) && got < most);
	return got;
}

static void answer(int fd, const struct sockaddr *peer, socklen_t length, const char *name)
{
	char host[NI_MAXHOST], port[NI_MAXSERV], *hello;
	size_t n;
	int size;

	getnameinfo(peer, length, host, sizeof(host), port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV);
	size = asprintf(&hello, "%s %s %s", name, host, port);
	if (size < 0 || send(fd, hello, size, 0) < 0)
		err(1, "send");
	while ((n = receive(fd, LARGEST)))
		if (send(fd, in, n, 0) < 0)
			err(1, "send");
}

static int serve(char **argv)
{
	int fd = bound(resolve(argv[2], argv[3]));

	if (listen(fd, 16))
		err(1, "listen");
	signal(SIGCHLD, SIG_IGN);
	printf("ready\n");
	fflush(stdout);
	for (;;) {
		struct sockaddr_storage peer;
		socklen_t length = sizeof(peer);
		int association = accept(fd, (struct sockaddr *)&peer, &length);

		if (association < 0)
			err(1, "accept");
		if (!fork()) {
			close(fd);
			answer(association, (struct sockaddr *)&peer, length, argv[4]);
			return 0;
		}
		close(association);
	}
}

static int talk(char **argv)
{
	struct addrinfo *to = resolve(argv[3], argv[4]);
	int fd = bound(resolve(argv[2], "0"));
	char line[32];

	alarm(TIMEOUT_SECONDS);
	if (connect(fd, to->ai_addr, to->ai_addrlen))
		err(1, "connect");
	printf("connected %.*s\n", (int)receive(fd, LARGEST), in);
	fflush(stdout);
	while (alarm(0), fgets(line, sizeof(line), stdin)) {
		size_t size = strtoul(line, NULL, 10);

		alarm(TIMEOUT_SECONDS);
		for (size_t i = 0; i < size && i < LARGEST; i++)
			out[i] = random();
		if (size > LARGEST || send(fd, out, size, 0) < 0)
			err(1, "send");
		if (receive(fd, LARGEST) != size || memcmp(in, out, size))
			errx(1, "another message came back");
		printf("echoed %zu\n", size);
		fflush(stdout);
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "serve"))
		return serve(argv);
	if (argc == 5 && !strcmp(argv[1], "connect"))
		return talk(argv);
	errx(2, "usage: sctp serve ADDRESS PORT NAME | sctp connect SOURCE ADDRESS PORT");
}
