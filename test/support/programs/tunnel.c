// SPDX-License-Identifier: Apache-2.0
// tunnel DEVICE LOCAL REMOTE PORT: one end of a tunnel without Ethernet headers, as userspace WireGuard and flannel's udp
// backend are: what is routed to the TUN device DEVICE goes to REMOTE in datagrams, what comes from there comes out of it.
// Makes the device, says "ready", and ends with its parent's pipe.
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int open_device(const char *name)
{
	struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);

	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	return fd < 0 || ioctl(fd, TUNSETIFF, &request) ? -1 : fd;
}

static int open_socket(const char *local, const char *remote, const char *port)
{
	struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICHOST}, *from, *to;
	int fd = -1, room = 4 << 20;

	if (getaddrinfo(local, port, &hints, &from) || getaddrinfo(remote, port, &hints, &to))
		return -1;
	fd = socket(from->ai_family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	return bind(fd, from->ai_addr, from->ai_addrlen) || connect(fd, to->ai_addr, to->ai_addrlen) ? -1 : fd;
}

// All that is there; an error of one packet (the other end is not up yet, the device is down) is the packet's loss.
static void pump(int from, int to)
{
	static char packet[65536];
	ssize_t length;

	while ((length = read(from, packet, sizeof(packet))) > 0)
		if (write(to, packet, length) < 0)
			continue;
}

int main(int argc, char **argv)
{
	struct pollfd ends[3] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.events = POLLIN}, {.events = POLLIN}};

	if (argc < 5)
		return 2;
	ends[1].fd = open_device(argv[1]);
	ends[2].fd = open_socket(argv[2], argv[3], argv[4]);
	if (ends[1].fd < 0 || ends[2].fd < 0) {
		perror(argv[1]);
		return 1;
	}
	printf("ready\n");
	fflush(stdout);
	while (poll(ends, 3, -1) > 0 && !ends[0].revents) {
		pump(ends[1].fd, ends[2].fd);
		pump(ends[2].fd, ends[1].fd);
	}
	return 0;
}
