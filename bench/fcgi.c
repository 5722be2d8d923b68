/* A canned FastCGI application for web servers to stand before: 4.5 KB for each request, its connections kept where the
 * web server asks for that (FCGI_KEEP_CONN).
 *
 * It skips through records of any type until the empty one that ends the request's body, and looks at nothing else. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "responder.h"

enum {
	BODY_B = 4608,
	HEADER_B = 8,            /* of a record: version, type, id (2), length (2), padding, reserved */
	BEGIN = 1, END = 3, STDIN = 5, STDOUT = 6,
	END_BODY_B = 8,
	KEEP_CONN = 1,
};

static const char HEAD[] = "Content-Type: text/html; charset=utf-8\r\nX-Powered-By: fcgi\r\n\r\n";

/* Three records: all of the output, its end, the request's end. */
struct canned {
	size_t size;
	unsigned char bytes[BODY_B + 512];
	size_t ids[3];           /* where they carry the request's id */
};

static unsigned char *record_add(struct canned *c, unsigned record, unsigned char type, size_t size)
{
	unsigned char *at = c->bytes + c->size;
	memcpy(at, (unsigned char[]){1, type, 0, 0, (unsigned char)(size >> 8), (unsigned char)size, 0, 0}, HEADER_B);
	c->ids[record] = c->size + 2;
	c->size += HEADER_B + size;
	return at + HEADER_B;
}

static void canned_make(struct canned *c)
{
	size_t head_b = strlen(HEAD);
	unsigned char *output = record_add(c, 0, STDOUT, head_b + BODY_B);
	memcpy(output, HEAD, head_b);
	memset(output + head_b, 'x', BODY_B);
	record_add(c, 1, STDOUT, 0);
	memset(record_add(c, 2, END, END_BODY_B), 0, END_BODY_B);
}

static void fcgi_sending(struct responder *r, const struct responder_conn *c)
{
	struct canned *canned = r->owner;
	for (unsigned i = 0; i < 3; i++) {
		canned->bytes[canned->ids[i]] = (unsigned char)(c->id >> 8);
		canned->bytes[canned->ids[i] + 1] = (unsigned char)c->id;
	}
}

/* One record. */
static size_t fcgi_take(struct responder *r, struct responder_conn *c, const char *data, size_t size)
{
	const struct canned *canned = r->owner;
	const unsigned char *p = (const unsigned char *)data;
	if (size < HEADER_B)
		return 0;
	size_t length = (size_t)p[4] << 8 | p[5], whole = HEADER_B + length + p[6];
	if (p[0] != 1)
		return SIZE_MAX;
	if (size < whole)
		return 0;
	if (p[1] == BEGIN) {
		c->id = (unsigned)p[2] << 8 | p[3];
		c->closing = length < 3 || !(p[HEADER_B + 2] & KEEP_CONN);
	} else if (p[1] == STDIN && !length) {
		responder_owe(r, c, (const char *)canned->bytes, canned->size);
	}
	return whole;
}

int main(int argc, char **argv)
{
	static struct canned canned;
	if (argc != 3) {
		fputs("usage: fcgi PORT|SOCKET|- DELAY-MS\n", stderr);
		return 2;
	}
	canned_make(&canned);
	struct responder r = {.take = fcgi_take, .sending = fcgi_sending, .owner = &canned,
	                      .delay_ns = number(argv[2]) * UINT64_C(1000000)};
	responder_run(&r, argv[1]);
}
