// SPDX-License-Identifier: Apache-2.0
// pieces SOURCE ADDRESS PORT BYTES ORDER: sends "PAD BYTES ..." of so many bytes as fragments that it makes itself, ORDER
// naming them one by one ("0321": the first fragment is 0, all others follow it backwards), and waits for the answer on
// an ordinary socket. Prints "reply BYTES", or "nothing" after two seconds. With "answer" as SOURCE it is who waits, at
// ADDRESS and PORT: it prints "ready", and answers each datagram with such fragments, until stdin ends.
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS 2000
#define PIECE 1400 /* a multiple of 8 */

static union {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
} from, to;
static char datagram[65536], frame[2048];
static int length, id;

static unsigned sum_of(const void *data, int bytes, unsigned sum)
{
	const unsigned char *at = data;

	for (int i = 0; i < bytes; i++)
		sum += i % 2 ? at[i] : at[i] << 8;
	return sum;
}

static void address(const char *text, const char *port, void *into)
{
	struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICHOST}, *info;

	if (getaddrinfo(text, port, &hints, &info))
		exit(2);
	memcpy(into, info->ai_addr, info->ai_addrlen);
}

static void make_datagram(int bytes)
{
	struct udphdr *udp = (void *)datagram;
	int v4 = from.any.sa_family == AF_INET;
	unsigned sum;

	length = bytes + sizeof(*udp);
	memset(datagram, ' ', length);
	*udp = (struct udphdr){.source = from.v4.sin_port, .dest = to.v4.sin_port, .len = htons(length)};
	snprintf(datagram + sizeof(*udp), 16, "PAD %d", bytes);
	datagram[sizeof(*udp) + strlen(datagram + sizeof(*udp))] = ' ';
	sum = length + IPPROTO_UDP;
	sum = v4 ? sum_of(&from.v4.sin_addr, 4, sum_of(&to.v4.sin_addr, 4, sum))
		 : sum_of(&from.v6.sin6_addr, 16, sum_of(&to.v6.sin6_addr, 16, sum));
	sum = sum_of(datagram, length, sum);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	udp->check = htons(~sum);
}

static void send_piece(int raw, int index)
{
	int at = index * PIECE, size = length - at > PIECE ? PIECE : length - at, more = at + size < length, header;

	if (from.any.sa_family == AF_INET) {
		struct iphdr ip = {.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP, .id = htons(id)};

		ip.tot_len = htons(sizeof(ip) + size);
		ip.frag_off = htons(at / 8 | (more ? 0x2000 : 0));
		ip.saddr = from.v4.sin_addr.s_addr;
		ip.daddr = to.v4.sin_addr.s_addr;
		memcpy(frame, &ip, sizeof(ip));
		header = sizeof(ip);
	} else {
		struct ip6_hdr ip = {.ip6_src = from.v6.sin6_addr, .ip6_dst = to.v6.sin6_addr};
		struct ip6_frag fragment = {.ip6f_nxt = IPPROTO_UDP, .ip6f_ident = htonl(id)};

		ip.ip6_vfc = 6 << 4;
		ip.ip6_plen = htons(sizeof(fragment) + size);
		ip.ip6_nxt = IPPROTO_FRAGMENT;
		ip.ip6_hlim = 64;
		fragment.ip6f_offlg = htons(at | more);
		memcpy(frame, &ip, sizeof(ip));
		memcpy(frame + sizeof(ip), &fragment, sizeof(fragment));
		header = sizeof(ip) + sizeof(fragment);
	}
	memcpy(frame + header, datagram + at, size);
	in_port_t port = to.v4.sin_port;
	to.v4.sin_port = 0; /* a raw socket has none */
	if (sendto(raw, frame, header + size, 0, &to.any, sizeof(to)) < 0)
		perror("sendto");
	to.v4.sin_port = port;
}

static void send_pieces(int raw, int bytes, const char *order)
{
	make_datagram(bytes);
	id++;
	for (; *order; order++)
		send_piece(raw, *order - '0');
}

static int answer(int fd, int raw, int bytes, const char *order)
{
	struct pollfd wait[] = {{.fd = fd, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};
	socklen_t size;

	puts("ready");
	fflush(stdout);
	while (poll(wait, 2, -1) > 0 && !wait[1].revents) {
		size = sizeof(to);
		if (recvfrom(fd, datagram, sizeof(datagram), 0, &to.any, &size) < 0)
			return 1;
		send_pieces(raw, bytes, order);
	}
	return 0;
}

int main(int argc, char **argv)
{
	socklen_t size = sizeof(from);
	int fd, raw, answers;

	if (argc < 6)
		return 2;
	id = getpid();
	answers = !strcmp(argv[1], "answer");
	address(answers ? argv[2] : argv[1], answers ? argv[3] : "0", &from);
	fd = socket(from.any.sa_family, SOCK_DGRAM, 0);
	raw = socket(from.any.sa_family, SOCK_RAW, IPPROTO_RAW);
	if (fd < 0 || raw < 0 || bind(fd, &from.any, sizeof(from)) || getsockname(fd, &from.any, &size))
		return perror("socket"), 1;
	if (answers)
		return answer(fd, raw, atoi(argv[4]), argv[5]);
	address(argv[2], argv[3], &to);
	send_pieces(raw, atoi(argv[4]), argv[5]);
	if (poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, WAIT_MS) <= 0)
		printf("nothing\n");
	else
		printf("reply %zd\n", recv(fd, datagram, sizeof(datagram), 0));
	return 0;
}
