// SPDX-License-Identifier: Apache-2.0
// Many connections at once, in several processes, because one may hold fewer than 20 000 descriptors.
// crowd serve PORT WORKERS: says "ready", answers every 8 bytes of a connection with them and the port it is seen from.
// crowd hold ADDRESS PORT COUNT WORKERS: makes COUNT connections from ports 1024 and up; when all are there, each sends a
// number of its own and reads it back. Prints "connected C answered A mixed M ports P": answers with another's number,
// different ports that the servers saw.
#include <arpa/inet.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_PORT 1024
#define WAIT_SECONDS 20

struct answer {
	uint64_t number;
	uint64_t port;
};

static struct {
	atomic_int connected, settled, answered, mixed;
	atomic_uchar seen[65536];
} *total;

static void answer(int fd)
{
	struct sockaddr_in6 peer;
	socklen_t length = sizeof(peer);
	struct answer answer;

	if (recv(fd, &answer.number, sizeof(answer.number), MSG_WAITALL) != sizeof(answer.number) ||
	    getpeername(fd, (void *)&peer, &length)) {
		close(fd);
		return;
	}
	answer.port = ntohs(peer.sin6_port);
	send(fd, &answer, sizeof(answer), MSG_NOSIGNAL);
}

static void serve(int port)
{
	struct sockaddr_in6 here = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	struct epoll_event events[64], event = {.events = EPOLLIN};
	int listener = socket(AF_INET6, SOCK_STREAM, 0), poll = epoll_create1(0), one = 1;

	setsockopt(listener, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	if (bind(listener, (void *)&here, sizeof(here)) || listen(listener, 4096))
		exit(1);
	event.data.fd = listener;
	epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
	atomic_fetch_add(&total->settled, 1);
	for (;;) {
		int count = epoll_wait(poll, events, 64, -1);

		for (int i = 0; i < count; i++) {
			if (events[i].data.fd != listener) {
				answer(events[i].data.fd);
				continue;
			}
			event.data.fd = accept(listener, NULL, NULL);
			if (event.data.fd >= 0)
				epoll_ctl(poll, EPOLL_CTL_ADD, event.data.fd, &event);
		}
	}
}

static int connect_from(const struct addrinfo *to, int port)
{
	struct sockaddr_storage from = {.ss_family = to->ai_family};
	struct timeval patience = {.tv_sec = WAIT_SECONDS};
	int fd = socket(to->ai_family, SOCK_STREAM, 0), one = 1;

	((struct sockaddr_in *)&from)->sin_port = htons(port); // at the same place in both families
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (fd < 0 || bind(fd, (void *)&from, to->ai_addrlen) || connect(fd, to->ai_addr, to->ai_addrlen)) {
		perror("connection");
		close(fd);
		return -1;
	}
	return fd;
}

static void hold(const struct addrinfo *to, int worker, int count, int workers)
{
	int *fds = calloc(count, sizeof(*fds));
	struct answer got;

	for (int i = 0; i < count; i++) {
		fds[i] = connect_from(to, FIRST_PORT + worker * count + i);
		if (fds[i] >= 0)
			atomic_fetch_add(&total->connected, 1);
	}
	atomic_fetch_add(&total->settled, 1);
	while (atomic_load(&total->settled) < workers) // of the others too
		usleep(1000);
	for (int i = 0; i < count; i++) {
		uint64_t number = (uint64_t)worker << 32 | i;

		if (fds[i] < 0 || send(fds[i], &number, sizeof(number), MSG_NOSIGNAL) != sizeof(number) ||
		    recv(fds[i], &got, sizeof(got), MSG_WAITALL) != sizeof(got))
			continue;
		atomic_fetch_add(&total->answered, 1);
		if (got.number != number)
			atomic_fetch_add(&total->mixed, 1);
		atomic_store(&total->seen[got.port & 0xffff], 1);
	}
	atomic_fetch_add(&total->settled, 1);
	while (atomic_load(&total->settled) < 2 * workers) // nobody hangs up before all were asked
		usleep(1000);
	exit(0);
}

int main(int argc, char **argv)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST}, *to;
	int serves = argc == 4 && !strcmp(argv[1], "serve"), ports = 0, workers;

	if ((!serves && argc != 6) || (!serves && getaddrinfo(argv[2], argv[3], &hints, &to)))
		return 2;
	workers = atoi(argv[argc - 1]);
	total = mmap(NULL, sizeof(*total), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (int worker = 0; worker < workers; worker++) {
		if (fork())
			continue;
		if (serves)
			serve(atoi(argv[2]));
		hold(to, worker, atoi(argv[4]) / workers, workers);
	}
	if (serves) {
		while (atomic_load(&total->settled) < workers)
			usleep(1000);
		printf("ready\n");
		fflush(stdout);
	}
	while (wait(NULL) > 0)
		;
	for (int port = 0; port < 65536; port++)
		ports += total->seen[port];
	printf("connected %d answered %d mixed %d ports %d\n", total->connected, total->answered, total->mixed, ports);
	return 0;
}
