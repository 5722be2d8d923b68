/* The origin behind caches: /SIZE/anything gets SIZE bytes that may be kept for a year; /-/count says how many requests for
 * pages came so far, which is how many the cache before it did not answer itself.
 *
 * All pages of one size are the same bytes, made when the first is asked for.  It looks at nothing else, and is no
 * server. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client.h"
#include "responder.h"

enum {
	HEAD_B = 512,
	SIZES = 16,
	PAGE_MOST_B = 16 << 20,
};

struct page {
	size_t body_b, size;  /* of the body, and of all of it; 0: unused */
	char *bytes;
};

struct pages {
	struct page sizes[SIZES];
	unsigned long count;
	char told[HEAD_B];  /* the answer to /-/count */
};

static void page_make(struct page *p, size_t body_b)
{
	char date[64];
	time_t now = time(NULL);
	strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime(&now));
	p->bytes = malloc(HEAD_B + body_b);
	if (!p->bytes) {
		perror("malloc");
		exit(1);
	}
	int head_b = snprintf(p->bytes, HEAD_B,
		"HTTP/1.1 200 OK\r\nServer: origin\r\nDate: %s\r\nContent-Type: text/html; charset=utf-8\r\n"
		"Content-Length: %zu\r\nLast-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\nETag: \"0123456789abcdef\"\r\n"
		"Cache-Control: max-age=31536000\r\n\r\n", date, body_b);
	memset(p->bytes + head_b, 'x', body_b);
	p->body_b = body_b;
	p->size = (size_t)head_b + body_b;
}

/* NULL: there are too many sizes already. */
static const struct page *page_of(struct pages *pages, size_t body_b)
{
	for (struct page *p = pages->sizes; p < pages->sizes + SIZES; p++) {
		if (!p->size)
			page_make(p, body_b);
		if (p->body_b == body_b)
			return p;
	}
	return NULL;
}

static void count_tell(struct responder *r, struct responder_conn *c, struct pages *pages)
{
	char text[32];
	int text_b = snprintf(text, sizeof text, "%lu\n", pages->count);
	int size = snprintf(pages->told, sizeof pages->told, "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\n"
		"Content-Length: %d\r\n\r\n%s", text_b, text);
	responder_owe(r, c, pages->told, (size_t)size);
}

static size_t pages_take(struct responder *r, struct responder_conn *c, const char *data, size_t size)
{
	static const char GET[] = "GET /";
	struct pages *pages = r->owner;
	const char *end = memmem(data, size, "\r\n\r\n", 4);
	if (!end)
		return 0;
	if (memcmp(data, GET, strlen(GET)) != 0)
		return SIZE_MAX;
	const char *path = data + strlen(GET);
	unsigned long body_b = strtoul(path, NULL, 10);
	const struct page *p = body_b && body_b <= PAGE_MOST_B ? page_of(pages, body_b) : NULL;
	if (*path == '-') {
		count_tell(r, c, pages);
	} else if (p) {
		pages->count++;
		responder_owe(r, c, p->bytes, p->size);
	} else {
		return SIZE_MAX;
	}
	return (size_t)(end + 4 - data);
}

int main(int argc, char **argv)
{
	static struct pages pages;
	if (argc != 3) {
		fputs("usage: pages PORT DELAY-MS\n", stderr);
		return 2;
	}
	struct responder r = {.take = pages_take, .owner = &pages, .delay_ns = number(argv[2]) * UINT64_C(1000000)};
	responder_run(&r, argv[1]);
}
