/* Many slow readers of one huge file: each takes 4 KB four times a second, through a small receive buffer.
 *
 * Prints a line once all have had bytes, and goes on reading until the harness answers with one. */
#include "client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	SIP_B = 4096,
	SIP_EVERY_MS = 250,
	RECEIVE_B = 8192,
	PATIENCE_S = 60,
};

struct reader {
	int fd;
	bool broken;
	unsigned long long got;
};

/* The receive buffer must be small before the connection is: its size is announced in the handshake. */
static void reader_open(struct reader *r, unsigned short port, const char *path)
{
	const int receive_b = RECEIVE_B;
	char request[512];
	int size = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: bench\r\n\r\n", path);
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port),
	                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	r->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(r->fd, SOL_SOCKET, SO_RCVBUF, &receive_b, sizeof receive_b);
	r->broken = connect(r->fd, (const struct sockaddr *)&to, sizeof to) < 0 ||
		send(r->fd, request, (size_t)size, MSG_NOSIGNAL) != size;
}

static void reader_sip(struct reader *r)
{
	char sip[SIP_B];
	ssize_t got = recv(r->fd, sip, sizeof sip, MSG_DONTWAIT);
	if (got > 0 && r->got == 0 && strncmp(sip, "HTTP/1.1 200", 12) != 0)
		r->broken = true;
	if (got > 0)
		r->got += (unsigned long long)got;
	else if (got == 0 || errno != EAGAIN)
		r->broken = true;
}

/* Readers that have had something and are still there. */
static unsigned all_sip(struct reader *readers, unsigned count)
{
	unsigned well = 0;
	for (unsigned i = 0; i < count; i++) {
		if (!readers[i].broken)
			reader_sip(&readers[i]);
		well += !readers[i].broken && readers[i].got > 0;
	}
	return well;
}

/* Sips until the harness has said a line. */
static unsigned sip_until_told(struct reader *readers, unsigned count)
{
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
	unsigned well = 0;
	do {
		well = all_sip(readers, count);
	} while (poll(&in, 1, SIP_EVERY_MS) == 0);
	return well;
}

int main(int argc, char **argv)
{
	if (argc != 4) {
		fputs("usage: slow PORT COUNT PATH\n", stderr);
		return 2;
	}
	unsigned count = (unsigned)number(argv[2]), well = 0;
	struct reader *readers = calloc(count, sizeof *readers);
	if (!readers)
		return 1;
	for (unsigned i = 0; i < count; i++)
		reader_open(&readers[i], (unsigned short)number(argv[1]), argv[3]);
	uint64_t end = now_ns() + PATIENCE_S * UINT64_C(1000000000);
	while (well < count && now_ns() < end) {
		well = all_sip(readers, count);
		poll(NULL, 0, SIP_EVERY_MS);
	}
	printf("reading %u failed %u\n", well, count - well);
	fflush(stdout);
	well = sip_until_told(readers, count);
	printf("reading %u failed %u\n", well, count - well);
	for (unsigned i = 0; i < count; i++)
		close(readers[i].fd);
	free(readers);
	return 0;
}
