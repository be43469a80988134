// SPDX-License-Identifier: Apache-2.0
// two-ways ADDRESS PORT VIP VIP_PORT: a UDP socket connected to ADDRESS that also sends a datagram to VIP, which a
// connected socket of Node.js cannot. Prints "answered NAME" for each of the two and the name of its peer; then, for each
// line of stdin, what a send to its peer comes to: "answered NAME", or "error ERRNO".
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static socklen_t parse(const char *address, const char *port, struct sockaddr_storage *to)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_DGRAM}, *found;
	socklen_t length;

	if (getaddrinfo(address, port, &hints, &found))
		return 0;
	length = found->ai_addrlen;
	memcpy(to, found->ai_addr, length);
	freeaddrinfo(found);
	return length;
}

static void ask(int fd, const struct sockaddr_storage *to, socklen_t length)
{
	char answer[64];
	ssize_t got = sendto(fd, "who?", 4, 0, (const void *)to, length);

	if (got >= 0)
		got = recv(fd, answer, sizeof(answer), 0);
	if (got < 0)
		printf("error %s\n", strerrorname_np(errno));
	else
		printf("answered %.*s\n", (int)got, answer);
}

int main(int argc, char **argv)
{
	struct sockaddr_storage direct, vip, peer;
	socklen_t direct_length, vip_length, length = sizeof(peer);
	char host[NI_MAXHOST], port[NI_MAXSERV], line[16];
	struct timeval wait = {.tv_sec = 5};
	int fd;

	if (argc < 5)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	direct_length = parse(argv[1], argv[2], &direct);
	vip_length = parse(argv[3], argv[4], &vip);
	fd = socket(direct.ss_family, SOCK_DGRAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	if (!vip_length || connect(fd, (void *)&direct, direct_length))
		return 2;
	ask(fd, NULL, 0);
	ask(fd, &vip, vip_length);
	if (getpeername(fd, (void *)&peer, &length) ||
	    getnameinfo((void *)&peer, length, host, sizeof(host), port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV))
		return 2;
	printf("peer %s %s\n", host, port);
	while (fgets(line, sizeof(line), stdin))
		ask(fd, NULL, 0);
	return 0;
}
