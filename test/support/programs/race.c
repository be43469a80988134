// SPDX-License-Identifier: Apache-2.0
// race ADDRESS PORT FLOWS PACKETS: each of FLOWS connected UDP sockets is used by two threads at once, on two CPUs where
// there are two, so that the first packets of one 5-tuple meet. Sends PACKETS from each thread, then reads what came
// back. Prints "sent S received R refused E".
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int flows, packets, fds[20000];
static atomic_int turn[2];

static void *sender(void *arg)
{
	long self = (long)arg;
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(self % sysconf(_SC_NPROCESSORS_ONLN), &cpus);
	pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus);
	for (int i = 0; i < flows; i++) {
		atomic_store(&turn[self], i + 1);
		for (int spins = 0; atomic_load(&turn[!self]) < i + 1; spins++)
			if (spins > 1000)
				sched_yield();
		for (int n = 0; n < packets; n++)
			send(fds[i], "WHO", 3, MSG_DONTWAIT);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICHOST}, *to;
	pthread_t threads[2];
	long received = 0, refused = 0;
	char buffer[2048];

	if (argc != 5 || getaddrinfo(argv[1], argv[2], &hints, &to))
		return 2;
	flows = atoi(argv[3]);
	packets = atoi(argv[4]);
	for (int i = 0; i < flows; i++) {
		fds[i] = socket(to->ai_family, SOCK_DGRAM, 0);
		if (fds[i] < 0 || connect(fds[i], to->ai_addr, to->ai_addrlen)) {
			perror("connect");
			return 1;
		}
	}
	for (long i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, sender, (void *)i);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	sleep(1);
	for (int i = 0; i < flows; i++) {
		ssize_t n;

		while ((n = recv(fds[i], buffer, sizeof(buffer), MSG_DONTWAIT)) > 0)
			received++;
		if (n < 0 && getsockopt(fds[i], SOL_SOCKET, SO_ERROR, buffer, &(socklen_t){4}))
			refused++;
	}
	printf("sent %d received %ld refused %ld\n", 2 * flows * packets, received, refused);
	return 0;
}
