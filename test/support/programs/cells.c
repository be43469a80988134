// SPDX-License-Identifier: Apache-2.0
// Asks many addresses at once how they answer, down to which ICMP error refuses.
// cells serve NAME PORT...: says "ready", answers TCP connections and datagrams with "NAME ADDRESS": whom it sees.
// cells ask AT_ONCE FILE: FILE has lines "ID WAY ADDRESS PORT TRIES", WAY one of tcp, udp (connected), sendto and ping. Prints,
// for each line, "ID ANSWER" once for each different answer to so many tries, fewer when one is not served:
//   NAME ADDRESS      as the server says
//   echo              of a ping
//   icmp TYPE/CODE    an ICMP error; rst: a TCP reset
//   CALL: ERRNO       what a system call said at once
//   silence           for WAIT_MS; a datagram is sent twice meanwhile
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS 3500 /* TCP's SYN is sent a third time by then */
#define MAX_CELLS 40000
#define ANSWER 128

struct cell {
	char id[16], way[8];
	struct sockaddr_storage to;
	socklen_t length;
	int tries;
};

static struct cell cells[MAX_CELLS];
static int count, next;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static bool is(const struct cell *cell, const char *way)
{
	return !strcmp(cell->way, way);
}

/* What the kernel says of the socket: an ICMP error that came, else the error of its connection. */
static void explain(int fd, char *answer)
{
	char control[512], data[ANSWER];
	struct iovec part = {data, sizeof(data)};
	struct msghdr msg = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	socklen_t length = sizeof(int);
	int error = 0;

	if (recvmsg(fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT) >= 0) {
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
			struct sock_extended_err *e = (void *)CMSG_DATA(c);

			if (!(c->cmsg_level == SOL_IP && c->cmsg_type == IP_RECVERR) &&
			    !(c->cmsg_level == SOL_IPV6 && c->cmsg_type == IPV6_RECVERR))
				continue;
			if (e->ee_origin == SO_EE_ORIGIN_ICMP || e->ee_origin == SO_EE_ORIGIN_ICMP6)
				snprintf(answer, ANSWER, "icmp %d/%d", e->ee_type, e->ee_code);
			else
				snprintf(answer, ANSWER, "local: %s", strerrorname_np(e->ee_errno));
			return;
		}
	}
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
	if (error == ECONNREFUSED)
		strcpy(answer, "rst");
	else
		snprintf(answer, ANSWER, "error: %s", error ? strerrorname_np(error) : "none");
}

static int said(const char *call, char *answer)
{
	snprintf(answer, ANSWER, "%s: %s", call, strerrorname_np(errno));
	return -1;
}

/* Waits for what is to come; 0 once it is there, else the answer says what came instead. */
static int await(int fd, short events, int ms, char *answer)
{
	struct pollfd waiting = {.fd = fd, .events = events};

	switch (poll(&waiting, 1, ms)) {
	case 0:
		strcpy(answer, "silence");
		return -1;
	case 1:
		if (!(waiting.revents & POLLERR))
			return 0;
		explain(fd, answer);
		return -1;
	}
	return said("poll", answer);
}

static int read_answer(int fd, const struct cell *cell, char *answer)
{
	struct sockaddr_storage from = {};
	socklen_t length = sizeof(from);
	char data[ANSWER];
	ssize_t got = recvfrom(fd, data, sizeof(data) - 1, 0, (void *)&from, &length);

	if (got <= 0)
		return got ? said("recv", answer) : said("end", answer);
	data[got] = 0;
	snprintf(answer, ANSWER, "%s", is(cell, "ping") ? "echo" : data);
	if (is(cell, "sendto") && memcmp(&from, &cell->to, offsetof(struct sockaddr_in6, sin6_scope_id)))
		strcpy(answer, "another address answered");
	return 0;
}

static int ask_stream(int fd, const struct cell *cell, char *answer)
{
	struct linger abrupt = {.l_onoff = 1};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &abrupt, sizeof(abrupt)); /* leaves no TIME-WAIT */
	if (connect(fd, (const void *)&cell->to, cell->length) && errno != EINPROGRESS)
		return said("connect", answer);
	if (await(fd, POLLOUT, WAIT_MS, answer) || await(fd, POLLIN, WAIT_MS, answer))
		return -1;
	return read_answer(fd, cell, answer);
}

static int ask_datagram(int fd, const struct cell *cell, char *answer)
{
	bool connected = !is(cell, "sendto");
	char who[8] = {cell->to.ss_family == AF_INET ? 8 : (char)128}; /* also an echo request, but for its sum */

	if (connected && connect(fd, (const void *)&cell->to, cell->length))
		return said("connect", answer);
	for (int sent = 0; sent < 2; sent++) {
		if (sendto(fd, who, sizeof(who), 0, connected ? NULL : (const void *)&cell->to,
			   connected ? 0 : cell->length) < 0) {
			int error = errno;

			explain(fd, answer);
			errno = error;
			return strncmp(answer, "icmp", 4) ? said("send", answer) : -1;
		}
		if (!await(fd, POLLIN, WAIT_MS / 2, answer))
			return read_answer(fd, cell, answer);
		if (strcmp(answer, "silence"))
			return -1;
	}
	return -1;
}

/* 0: somebody answered. */
static int ask_once(const struct cell *cell, char *answer)
{
	int family = cell->to.ss_family, one = 1, result;
	int icmp = family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	int fd = socket(family, (is(cell, "tcp") ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK, is(cell, "ping") ? icmp : 0);

	if (fd < 0)
		return said("socket", answer);
	if (family == AF_INET)
		setsockopt(fd, SOL_IP, IP_RECVERR, &one, sizeof(one));
	else
		setsockopt(fd, SOL_IPV6, IPV6_RECVERR, &one, sizeof(one));
	result = is(cell, "tcp") ? ask_stream(fd, cell, answer) : ask_datagram(fd, cell, answer);
	close(fd);
	return result;
}

static void ask_cell(const struct cell *cell)
{
	char seen[8][ANSWER], answer[ANSWER];
	int known = 0;

	for (int try = 0; try < cell->tries; try++) {
		int result = ask_once(cell, answer), i = 0;

		while (i < known && strcmp(seen[i], answer))
			i++;
		if (i == known && known < 8)
			strcpy(seen[known++], answer);
		if (result)
			break;
	}
	flockfile(stdout);
	for (int i = 0; i < known; i++)
		printf("%s %s\n", cell->id, seen[i]);
	funlockfile(stdout);
}

static void *ask_some(void *unused)
{
	for (;;) {
		int mine;

		pthread_mutex_lock(&lock);
		mine = next++;
		pthread_mutex_unlock(&lock);
		if (mine >= count)
			return unused;
		ask_cell(&cells[mine]);
	}
}

static int ask(int at_once, const char *path)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_DGRAM}, *found;
	char address[64], port[8];
	pthread_t threads[1024];
	FILE *file = fopen(path, "r");

	if (!file || at_once > 1024)
		return 2;
	for (; count < MAX_CELLS; count++) {
		struct cell *cell = &cells[count];

		if (fscanf(file, "%15s %7s %63s %7s %d", cell->id, cell->way, address, port, &cell->tries) != 5)
			break;
		if (getaddrinfo(address, port, &hints, &found))
			return 2;
		cell->length = found->ai_addrlen;
		memcpy(&cell->to, found->ai_addr, cell->length);
		freeaddrinfo(found);
	}
	for (int i = 0; i < at_once; i++)
		pthread_create(&threads[i], NULL, ask_some, NULL);
	for (int i = 0; i < at_once; i++)
		pthread_join(threads[i], NULL);
	puts("end");
	return 0;
}

static int listen_at(int type, int port)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	int fd = socket(AF_INET6, type, 0), one = 1, room = 4 << 20;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	setsockopt(fd, SOL_IPV6, IPV6_RECVPKTINFO, &one, sizeof(one));
	if (bind(fd, (void *)&any, sizeof(any)) || (type == SOCK_STREAM && listen(fd, 4096))) {
		perror("cells: listen");
		exit(1);
	}
	return fd;
}

static int answer_text(char *text, const char *name, const struct sockaddr_in6 *peer)
{
	char address[INET6_ADDRSTRLEN];

	inet_ntop(AF_INET6, &peer->sin6_addr, address, sizeof(address));
	return snprintf(text, ANSWER, "%s %s", name, IN6_IS_ADDR_V4MAPPED(&peer->sin6_addr) ? address + 7 : address);
}

static void answer_connection(int listener, const char *name)
{
	struct sockaddr_in6 peer;
	socklen_t length = sizeof(peer);
	char text[ANSWER];
	int fd = accept(listener, (void *)&peer, &length);

	if (fd < 0)
		return;
	send(fd, text, answer_text(text, name, &peer), MSG_NOSIGNAL);
	close(fd);
}

/* From the address that it came to. */
static void answer_datagram(int fd, const char *name)
{
	struct sockaddr_in6 peer;
	char text[ANSWER], control[256];
	struct iovec part = {text, sizeof(text)};
	struct msghdr msg = {.msg_name = &peer, .msg_namelen = sizeof(peer), .msg_iov = &part, .msg_iovlen = 1,
			     .msg_control = control, .msg_controllen = sizeof(control)};
	struct cmsghdr *info;

	if (recvmsg(fd, &msg, 0) < 0)
		return;
	info = CMSG_FIRSTHDR(&msg);
	if (info && info->cmsg_type == IPV6_PKTINFO)
		((struct in6_pktinfo *)CMSG_DATA(info))->ipi6_ifindex = 0;
	part.iov_len = answer_text(text, name, &peer);
	sendmsg(fd, &msg, 0);
}

static void serve(const char *name, char **ports, int many)
{
	struct pollfd fds[32];

	for (int i = 0; i < many; i++) {
		fds[2 * i] = (struct pollfd){.fd = listen_at(SOCK_STREAM, atoi(ports[i])), .events = POLLIN};
		fds[2 * i + 1] = (struct pollfd){.fd = listen_at(SOCK_DGRAM, atoi(ports[i])), .events = POLLIN};
	}
	puts("ready");
	fflush(stdout);
	while (poll(fds, 2 * many, -1) >= 0) {
		for (int i = 0; i < 2 * many; i++) {
			if (!(fds[i].revents & POLLIN))
				continue;
			if (i % 2)
				answer_datagram(fds[i].fd, name);
			else
				answer_connection(fds[i].fd, name);
		}
	}
}

int main(int argc, char **argv)
{
	if (argc > 3 && argc < 20 && !strcmp(argv[1], "serve"))
		serve(argv[2], argv + 3, argc - 3);
	if (argc != 4 || strcmp(argv[1], "ask"))
		return 2;
	return ask(atoi(argv[2]), argv[3]);
}
