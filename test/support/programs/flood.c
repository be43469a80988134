// SPDX-License-Identifier: Apache-2.0
// flood ADDRESS PORT FLOWS [SOURCE]: sends one small UDP packet from each of FLOWS made-up IPv4 ends: ports of addresses in
// 172.16.0.0/12, or of SOURCE, slowly enough for a server to answer each. Prints "sent S failed F".
#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct {
		struct iphdr ip;
		struct udphdr udp;
		char data[4];
	} packet = {0};
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
	packet.ip.daddr = to.sin_addr.s_addr;
	packet.udp.dest = htons(atoi(argv[2]));
	packet.udp.len = htons(sizeof(packet.udp) + sizeof(packet.data));
	for (int i = 0; i < flows; i++) {
		packet.ip.saddr = argc > 4 ? source.s_addr : htonl(0xac100000 + i / 60000);
		packet.udp.source = htons(1024 + i % 60000);
		if (sendto(fd, &packet, sizeof(packet), 0, (void *)&to, sizeof(to)) < 0)
			failed++;
		if (argc > 4 && i % 16 == 0)
			usleep(1000);
	}
	printf("sent %d failed %d\n", flows, failed);
	return 0;
}
