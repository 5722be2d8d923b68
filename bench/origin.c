/* A canned HTTP server for proxies to stand before: 4.5 KB for each request, kept alive; a request for an upgrade to
 * WebSocket gets its 101.
 *
 * After that 101 it goes on as before: the client repeats its request through the tunnel and gets the same bytes again,
 * because nobody between looks into a tunnel.  It looks at nothing else, and is no server. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "responder.h"

enum { BODY_B = 4608 };

/* The key that hold.c sends is the one of RFC 6455, 1.3, and so is the answer to it. */
static const char UPGRADED[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                               "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
static const char UPGRADE[] = "\r\nUpgrade: ", CLOSE[] = "\r\nConnection: close";

struct canned {
	size_t size;
	char bytes[BODY_B + 512];
};

static void canned_make(struct canned *c)
{
	int head_b = snprintf(c->bytes, sizeof c->bytes,
		"HTTP/1.1 200 OK\r\nServer: origin\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
		"Content-Type: text/html; charset=utf-8\r\nContent-Length: %d\r\n"
		"Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\nETag: \"0123456789abcdef\"\r\n\r\n", BODY_B);
	memset(c->bytes + head_b, 'x', BODY_B);
	c->size = (size_t)head_b + BODY_B;
}

/* Whether a line of the head begins so, in any case. */
static bool says(const char *head, size_t size, const char *line)
{
	size_t line_b = strlen(line);
	for (const char *p = head; (p = memmem(p, size - (size_t)(p - head), "\r\n", 2)); p += 2)
		if (size - (size_t)(p - head) >= line_b && strncasecmp(p, line, line_b) == 0)
			return true;
	return false;
}

static size_t origin_take(struct responder *r, struct responder_conn *c, const char *data, size_t size)
{
	const struct canned *canned = r->owner;
	const char *end = memmem(data, size, "\r\n\r\n", 4);
	if (!end)
		return 0;
	size_t head_b = (size_t)(end + 4 - data);
	c->closing = says(data, head_b, CLOSE);
	if (says(data, head_b, UPGRADE))
		responder_owe(r, c, UPGRADED, strlen(UPGRADED));
	else
		responder_owe(r, c, canned->bytes, canned->size);
	return head_b;
}

int main(int argc, char **argv)
{
	static struct canned canned;
	if (argc != 3) {
		fputs("usage: origin PORT|SOCKET|- DELAY-MS\n", stderr);
		return 2;
	}
	canned_make(&canned);
	struct responder r = {.take = origin_take, .owner = &canned, .delay_ns = number(argv[2]) * UINT64_C(1000000)};
	responder_run(&r, argv[1]);
}
