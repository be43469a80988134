// SPDX-License-Identifier: Apache-2.0
// flood ADDRESS PORT FLOWS [SOURCE]: sends one small UDP packet from each of FLOWS made-up IPv4 ends: ports of addresses in
// 172.16.0.0/12. With SOURCE: from ports of that address, slowly enough for a server to answer each, and each speaks once
// more when its answer is there. Prints "sent S failed F": S ends, F packets.
#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define LAG 1000 // ends that speak before an earlier one speaks again

static struct {
	struct iphdr ip;
	struct udphdr udp;
	char data[4];
} packet;

// Returns 1 if the packet could not be sent.
static int send_from(int fd, const struct sockaddr_in *to, int end)
{
	packet.udp.source = htons(1024 + end % 60000);
	return sendto(fd, &packet, sizeof(packet), 0, (const void *)to, sizeof(*to)) < 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW), flows, failed = 0;
	struct in_addr source = {0};

	if (argc < 4 || fd < 0 || !inet_aton(argv[1], &to.sin_addr) || (argc > 4 && !inet_aton(argv[4], &source)))
		return 2;
	flows = atoi(argv[3]);
	packet.ip.version = 4;
	packet.ip.ihl = 5;
	packet.ip.ttl = 64;
	packet.ip.protocol = IPPROTO_UDP;
	packet.ip.tot_len = htons(sizeof(packet));
	packet.ip.saddr = source.s_addr;
	packet.ip.daddr = to.sin_addr.s_addr;
	packet.udp.dest = htons(atoi(argv[2]));
	packet.udp.len = htons(sizeof(packet.udp) + sizeof(packet.data));
	if (argc == 4) {
		for (int end = 0; end < flows; end++) {
			packet.ip.saddr = htonl(0xac100000 + end / 60000);
			failed += send_from(fd, &to, end);
		}
	} else {
		for (int end = 0; end < flows + LAG; end++) {
			if (end < flows)
				failed += send_from(fd, &to, end);
			if (end >= LAG)
				failed += send_from(fd, &to, end - LAG);
			if (end % 16 == 0)
				usleep(1000);
		}
	}
	printf("sent %d failed %d\n", flows, failed);
	return 0;
}
