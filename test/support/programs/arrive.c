// SPDX-License-Identifier: Apache-2.0
// When does the first connection reach one of these addresses?
// arrive serve PORT: says "ready", tells every connection the address it came to, and closes it.
// arrive watch TIMEOUT_MS: for each line "ADDRESS PORT WANTED,WANTED,..." of stdin connects to ADDRESS again and again, and once a
// wanted address answers prints "NS TRIES FAILED": the time of the answer by CLOCK_MONOTONIC, connections begun until then,
// and how many of them nobody answered. After two minutes it prints "0 TRIES FAILED".
#include <arpa/inet.h>
#include <netdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define GAP_US 300
#define PATIENCE_NS 120000000000ull
#define TEXT 64

static uint64_t now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return at.tv_sec * 1000000000ull + at.tv_nsec;
}

static int serve(uint16_t port)
{
	struct sockaddr_in6 own = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	int listener = socket(AF_INET6, SOCK_STREAM, 0), one = 1;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (void *)&own, sizeof(own)) || listen(listener, 1024))
		return 1;
	puts("ready");
	fflush(stdout);
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		socklen_t length = sizeof(own);
		char text[TEXT];

		if (fd < 0 || getsockname(fd, (void *)&own, &length))
			continue;
		inet_ntop(AF_INET6, &own.sin6_addr, text, sizeof(text));
		dprintf(fd, "%s", strncmp(text, "::ffff:", 7) ? text : text + 7);
		close(fd);
	}
}

/* Whether somebody answered; who, in text. Ends with an RST, which leaves nothing behind. */
static int ask(const struct addrinfo *to, struct timeval patience, char *text)
{
	struct linger reset = {.l_onoff = 1};
	int fd = socket(to->ai_family, SOCK_STREAM, 0);
	ssize_t got = -1;

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (!connect(fd, to->ai_addr, to->ai_addrlen))
		got = recv(fd, text, TEXT - 1, 0);
	close(fd);
	if (got <= 0)
		return 0;
	text[got] = 0;
	return 1;
}

static int listed(const char *list, const char *text)
{
	size_t length = strlen(text);

	for (const char *at = list; (at = strstr(at, text)); at += length)
		if ((at == list || at[-1] == ',') && (at[length] == ',' || !at[length]))
			return 1;
	return 0;
}

static void watch(char *line, int timeout_ms)
{
	char *address = strtok(line, " \n"), *port = strtok(NULL, " \n"), *wanted = strtok(NULL, " \n");
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST}, *to;
	uint64_t deadline = now() + PATIENCE_NS, at = 0;
	struct timeval patience = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
	int tries = 0, failed = 0;
	char text[TEXT];

	if (!wanted || getaddrinfo(address, port, &hints, &to))
		exit(2);
	while (!at && now() < deadline) {
		if (tries++)
			usleep(GAP_US);
		if (!ask(to, patience, text))
			failed++;
		else if (listed(wanted, text))
			at = now();
	}
	freeaddrinfo(to);
	printf("%llu %d %d\n", (unsigned long long)at, tries, failed);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	char line[4096];

	if (argc == 3 && !strcmp(argv[1], "serve"))
		return serve(atoi(argv[2]));
	if (argc != 3 || strcmp(argv[1], "watch"))
		return 2;
	while (fgets(line, sizeof(line), stdin))
		watch(line, atoi(argv[2]));
	return 0;
}
