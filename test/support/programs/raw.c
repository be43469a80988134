// SPDX-License-Identifier: Apache-2.0
// raw ADDRESS PROTOCOL HEX: sends one IP packet of this protocol number with these bytes behind its IP header.
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_RAW}, *to;
	static unsigned char bytes[2048];
	size_t count;
	int fd;

	if (argc != 4 || getaddrinfo(argv[1], NULL, &hints, &to))
		return 2;
	count = strlen(argv[3]) / 2;
	for (size_t i = 0; i < count && i < sizeof(bytes); i++)
		sscanf(argv[3] + 2 * i, "%2hhx", &bytes[i]);
	fd = socket(to->ai_family, SOCK_RAW, atoi(argv[2]));
	if (fd < 0 || sendto(fd, bytes, count, 0, to->ai_addr, to->ai_addrlen) != (ssize_t)count) {
		perror("sendto");
		return 1;
	}
	return 0;
}
