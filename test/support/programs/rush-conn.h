// SPDX-License-Identifier: Apache-2.0
/* rush-conn.h: the sockets that rush watches, as client and as server. */
#ifndef RUSH_CONN_H
#define RUSH_CONN_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_FDS 20000

enum kind { FREE, STDIN, LISTENER, SERVED, SHORT, STREAM, DATAGRAMS };

struct target {
	struct sockaddr_storage address;
	socklen_t length;
	int type; /* SOCK_STREAM, SOCK_DGRAM */
	bool connects;
};

struct conn {
	enum kind kind;
	bool open;                   /* connect() is done */
	bool answered;               /* its byte, or its last echo, has come */
	long since_ms;               /* began; of a stream: its last beat */
	const struct target *target; /* of a stream of datagrams */
	int server;                  /* process id that answers it; 0: not yet known */
};

static struct conn conns[MAX_FDS];
static int epfd, alive;

static long now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void die(const char *what)
{
	fprintf(stderr, "rush: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void watch(int fd, enum kind kind, unsigned int events)
{
	struct epoll_event event = {.events = events, .data.fd = fd};
	if (fd >= MAX_FDS)
		die("too many descriptors");
	conns[fd] = (struct conn){.kind = kind, .since_ms = now_ms()};
	if (epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event))
		die("epoll_ctl");
}

static void forget(int fd)
{
	if (conns[fd].kind == SHORT || conns[fd].kind == STREAM || conns[fd].kind == DATAGRAMS)
		alive--;
	conns[fd].kind = FREE;
	close(fd);
}

#endif
