// SPDX-License-Identifier: Apache-2.0
// probe ADDRESS PORT BYTES [TTL]: sends one datagram of so many bytes that may not be fragmented, and says what came
// back: "reply BYTES", "error ERRNO type T code C from ADDRESS mtu M" as the error queue has it (mtu 0: none), or
// "nothing" after two seconds.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define WAIT_MS 2000

static int error_of(int fd)
{
	char control[512], name[INET6_ADDRSTRLEN] = "?";
	struct msghdr msg = {.msg_control = control, .msg_controllen = sizeof(control)};

	if (recvmsg(fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
		return 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		struct sock_extended_err *e = (void *)CMSG_DATA(c);
		struct sockaddr *from = SO_EE_OFFENDER(e);

		if (!(c->cmsg_level == SOL_IP && c->cmsg_type == IP_RECVERR) &&
		    !(c->cmsg_level == SOL_IPV6 && c->cmsg_type == IPV6_RECVERR))
			continue;
		if (from->sa_family == AF_INET)
			inet_ntop(AF_INET, &((struct sockaddr_in *)from)->sin_addr, name, sizeof(name));
		if (from->sa_family == AF_INET6)
			inet_ntop(AF_INET6, &((struct sockaddr_in6 *)from)->sin6_addr, name, sizeof(name));
		printf("error %s type %d code %d from %s mtu %d\n", strerrorname_np(e->ee_errno), e->ee_type,
		       e->ee_code, name, e->ee_errno == EMSGSIZE ? e->ee_info : 0);
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICHOST}, *to;
	static char payload[65536] = "PAD 300 ", answer[65536];
	int one = 1, always = IP_PMTUDISC_DO, ttl, bytes, fd;
	ssize_t got;

	if (argc < 4 || getaddrinfo(argv[1], argv[2], &hints, &to))
		return 2;
	bytes = atoi(argv[3]);
	ttl = argc > 4 ? atoi(argv[4]) : 64;
	fd = socket(to->ai_family, SOCK_DGRAM, 0);
	if (to->ai_family == AF_INET) {
		setsockopt(fd, SOL_IP, IP_RECVERR, &one, sizeof(one));
		setsockopt(fd, SOL_IP, IP_MTU_DISCOVER, &always, sizeof(always));
		setsockopt(fd, SOL_IP, IP_TTL, &ttl, sizeof(ttl));
	} else {
		setsockopt(fd, SOL_IPV6, IPV6_RECVERR, &one, sizeof(one));
		setsockopt(fd, SOL_IPV6, IPV6_MTU_DISCOVER, &always, sizeof(always));
		setsockopt(fd, SOL_IPV6, IPV6_UNICAST_HOPS, &ttl, sizeof(ttl));
	}
	memset(payload + 8, ' ', sizeof(payload) - 8);
	if (connect(fd, to->ai_addr, to->ai_addrlen) || send(fd, payload, bytes, 0) < 0) {
		printf("not sent: %s\n", strerrorname_np(errno));
		return 0;
	}
	if (poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, WAIT_MS) <= 0) {
		printf("nothing\n");
		return 0;
	}
	if (error_of(fd))
		return 0;
	got = recv(fd, answer, sizeof(answer), MSG_DONTWAIT);
	if (got < 0)
		printf("broken: %s\n", strerrorname_np(errno));
	else
		printf("reply %zd\n", got);
	return 0;
}
