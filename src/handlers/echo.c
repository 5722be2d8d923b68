/* echo: answers with the request as petrel understood it, as JSON.  For looking at what a client or a proxy really sends,
 * and for the tests that compare petrel's reading of a request with others'.  Also the model of how a handler reads a
 * body: pull until it ends, wait where it has nothing yet, let go where it breaks.
 *
 * Runs on the request's loop; what it gathers of the body is freed when the request ends. */
#include "base/hash.h"
#include "base/mem.h"
#include "handlers/handlers.h"
#include "http/req.h"
#include "http/vars.h"

enum { SHOWN_B = 64 * 1024 };

/* Of one request, in its arena. */
struct gathered {
	struct buf first;      /* at most SHOWN_B of the body */
	uint64_t length_b;
	XXH64_state_t hash;
};

static void gathered_close(struct req *r, void *state)
{
	(void)r;
	buf_fini(&((struct gathered *)state)->first);
}

static struct gathered *gathered_of(struct req *r)
{
	if (!r->state) {
		struct gathered *g = ARENA_NEW(&r->arena, struct gathered);
		XXH64_reset(&g->hash, 0);
		r->state = g;
		r->state_close = gathered_close;
	}
	return r->state;
}

static void gather(struct gathered *g, struct str bytes)
{
	g->length_b += bytes.n;
	XXH64_update(&g->hash, bytes.p, bytes.n);
	buf_add(&g->first, str_head(bytes, SHOWN_B - g->first.n));
}

/* --- JSON. --- */

/* Bytes as the Latin-1 characters of the same numbers, so that each can be told from all others. */
static void add_bytes(struct buf *out, struct str s)
{
	buf_add_char(out, '"');
	while (s.n) {
		size_t n = 0;
		while (n < s.n && !(s.p[n] & 0x80))
			n++;
		buf_add_json(out, str_head(s, n));
		for (; n < s.n && (s.p[n] & 0x80); n++)
			buf_addf(out, "\\u%04x", (unsigned char)s.p[n]);
		s = str_from(s, n);
	}
	buf_add_char(out, '"');
}

static void add_member(struct buf *out, const char *name, struct str value)
{
	buf_addf(out, "\"%s\": ", name);
	if (value.p)
		add_bytes(out, value);
	else
		buf_add(out, STR("null"));
	buf_add(out, STR(",\n"));
}

static void add_fields(struct buf *out, const struct ask *ask)
{
	buf_add(out, STR("\"fields\": ["));
	for (size_t i = 0; i < ask->field_count; i++) {
		buf_add(out, i ? STR(",\n  [") : STR("\n  ["));
		add_bytes(out, ask->fields[i].name);
		buf_add(out, STR(", "));
		add_bytes(out, ask->fields[i].value);
		buf_add_char(out, ']');
	}
	buf_add(out, STR("\n],\n"));
}

static void add_body(struct buf *out, const struct gathered *g)
{
	buf_addf(out, "\"body\": {\"length\": %llu, \"xxh64\": \"%016llx\", \"first\": ", (unsigned long long)g->length_b,
	         (unsigned long long)XXH64_digest(&g->hash));
	add_bytes(out, str_make(g->first.p ? g->first.p : "", g->first.n));
	buf_add(out, STR("}\n"));
}

static struct str told(struct req *r, const struct gathered *g)
{
	const struct ask *ask = &r->ask;
	struct buf out = {};
	buf_add(&out, STR("{\n"));
	add_member(&out, "method", ask->method_name);
	add_member(&out, "target", ask->target);
	add_member(&out, "path", ask->path);
	add_member(&out, "query", ask->query);
	add_member(&out, "host", ask->host);
	buf_addf(&out, "\"port\": %u,\n\"protocol\": \"HTTP/1.%u\",\n", (unsigned)ask->port, ask->minor);
	add_fields(&out, ask);
	add_body(&out, g);
	buf_add(&out, STR("}\n"));
	struct str text = arena_str(&r->arena, buf_str(&out));
	buf_fini(&out);
	return text;
}

static enum go echo_handle(struct req *r, const void *values)
{
	struct gathered *g = gathered_of(r);
	struct chunk c;
	(void)values;
	for (;;) {
		switch (body_read(r->upload, &c, UINT64_MAX)) {
		case BODY_SOME:
			gather(g, c.bytes);
			break;
		case BODY_LATER:
			return GO_WAIT;
		case BODY_END: {
			struct str text = told(r, g);
			gathered_close(r, g);
			answer_bytes(r, 200, STR("application/json"), text);
			answer_add(r, STR("Cache-Control"), STR("no-store"));
			return GO_ANSWER;
		}
		case BODY_BROKEN:
			gathered_close(r, g);
			return req_upload_broken(r);
		}
	}
}

static const struct directive DIRECTIVES[] = {
	{ .name = "echo", .kind = DIR_HANDLER, .scopes = SCOPE_ROUTE,
	  .doc = "Answers with the request as petrel understood it, as a JSON object: method, target, path, query, host, port, "
	         "protocol, fields, and the body's length, hash (XXH64) and first 64 KB. Bytes that are not ASCII are shown as "
	         "the Latin-1 characters of the same numbers.",
	  .example = "route = /-/echo { allow 127.0.0.0/8; echo; }" },
	{},
};

const struct module ECHO = {
	.name = "echo",
	.doc = "Shows a request as petrel understood it.",
	.directives = DIRECTIVES,
	.handle = echo_handle,
};
