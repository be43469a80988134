// SPDX-License-Identifier: Apache-2.0
/* rush-serve.h: the server of rush: for connections of both kinds, and for datagrams. */
#ifndef RUSH_SERVE_H
#define RUSH_SERVE_H

#include "rush-conn.h"

static void answer_datagrams(int fd)
{
	struct sockaddr_storage from;
	char byte;
	int self = getpid();
	for (;;) {
		socklen_t length = sizeof(from);
		if (recvfrom(fd, &byte, 1, 0, (void *)&from, &length) < 0)
			return;
		sendto(fd, &self, sizeof(self), 0, (const void *)&from, length);
	}
}

static void serve(int fd)
{
	char bytes[4096];
	for (;;) {
		ssize_t n = recv(fd, bytes, sizeof(bytes), 0);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0 || send(fd, bytes, n, MSG_NOSIGNAL) != n || bytes[0] == 'q') {
			forget(fd);
			return;
		}
	}
}

static void accept_all(int listener)
{
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
		if (fd < 0)
			return;
		watch(fd, SERVED, EPOLLIN | EPOLLET);
	}
}

static void serve_waiting(void)
{
	struct epoll_event events[512];
	int n = epoll_wait(epfd, events, 512, -1);
	for (int i = 0; i < n; i++) {
		int fd = events[i].data.fd;
		if (conns[fd].kind == LISTENER)
			accept_all(fd);
		else if (conns[fd].kind == SERVED)
			serve(fd);
		else if (conns[fd].kind == DATAGRAMS)
			answer_datagrams(fd);
	}
}

/* Ends by a signal only. */
static void run_server(int port)
{
	int one = 1, zero = 0, fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	if (bind(fd, (void *)&any, sizeof(any)) || listen(fd, 4096))
		die("listen");
	watch(fd, LISTENER, EPOLLIN);
	fd = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	if (bind(fd, (void *)&any, sizeof(any)))
		die("bind");
	watch(fd, DATAGRAMS, EPOLLIN);
	puts("ready");
	fflush(stdout);
	for (;;)
		serve_waiting();
}

#endif
