// SPDX-License-Identifier: Apache-2.0
// flood ADDRESS PORT FLOWS: sends one small UDP packet from each of FLOWS made-up IPv4 sources (172.16.0.0/12), none of
// which will ever be answered. Prints "sent S failed F".
#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
	struct {
		struct iphdr ip;
		struct udphdr udp;
		char data[4];
	} packet = {0};
	struct sockaddr_in to = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW), flows, failed = 0;

	if (argc != 4 || fd < 0 || !inet_aton(argv[1], &to.sin_addr))
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
		packet.ip.saddr = htonl(0xac100000 + i / 60000);
		packet.udp.source = htons(1024 + i % 60000);
		if (sendto(fd, &packet, sizeof(packet), 0, (void *)&to, sizeof(to)) < 0)
			failed++;
	}
	printf("sent %d failed %d\n", flows, failed);
	return 0;
}
