// SPDX-License-Identifier: Apache-2.0
// frames DEVICE: prints "ready", then every IP packet that leaves or reaches the device as "out HEX" or "in HEX", from
// its IP header on, until stdin ends.
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	static unsigned char packet[65536];
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)}, from;
	socklen_t size = sizeof(from);
	struct pollfd wait[2];
	ssize_t got;
	int fd;

	if (argc != 2)
		return 2;
	at.sll_ifindex = if_nametoindex(argv[1]);
	fd = socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_ALL));
	if (fd < 0 || !at.sll_ifindex || bind(fd, (void *)&at, sizeof(at)) < 0) {
		perror(argv[1]);
		return 1;
	}
	puts("ready");
	fflush(stdout);
	wait[0] = (struct pollfd){.fd = fd, .events = POLLIN};
	wait[1] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
	while (poll(wait, 2, -1) > 0) {
		if (wait[1].revents)
			return 0;
		got = recvfrom(fd, packet, sizeof(packet), 0, (void *)&from, &size);
		if (got <= 0 || (from.sll_protocol != htons(ETH_P_IP) && from.sll_protocol != htons(ETH_P_IPV6)))
			continue;
		fputs(from.sll_pkttype == PACKET_OUTGOING ? "out " : "in ", stdout);
		for (ssize_t i = 0; i < got; i++)
			printf("%02x", packet[i]);
		putchar('\n');
		fflush(stdout);
	}
	return 0;
}
