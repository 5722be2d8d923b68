/* What the files of the proxy handler share: its values, and its codec's state. */
#pragma once

#include "http/backend.h"
#include "http/chunked.h"
#include "http/codec.h"
#include "http/reply.h"
#include "http/vars.h"

/* What goes out as the Host field. */
struct proxy_host {
	enum { HOST_PASS, HOST_SERVER, HOST_TEXT } kind;
	struct tmpl text;
};

enum proxy_forwarded { FORWARDED_REPLACE, FORWARDED_APPEND, FORWARDED_PASS, FORWARDED_OFF };

struct proxy_field {
	struct str name;
	struct tmpl value;
};

struct proxy_rewrite {
	struct str from;
	struct tmpl to;
};

struct proxy {
	struct target target;
	struct proxy_host host;
	struct tmpl path;            /* no pieces: as the client asked */
	int forwarded;               /* enum proxy_forwarded */
	bool via, sendfile;
	struct items fields;         /* struct proxy_field */
	struct items redirects;      /* struct proxy_rewrite */
	struct items cookie_paths, cookie_domains;
	struct outward outward;
};

/* The codec's, of one attempt. */
struct proxy_state {
	bool chunks;                 /* a chunk of the request's body went out */
	bool told;                   /* HEARD_HEAD was said */
	unsigned interims;
	size_t looked_b;             /* of the head's bytes, or the trailers': they hold not all of it */
	struct reply_head head;
	uint64_t left_b;             /* REPLY_LENGTH */
	struct chunked chunked;
};

static inline const struct proxy *proxy_of(const struct call *c)
{
	return c->outward->values;
}

/* proxy_ask.c */
unsigned proxy_ask(struct call *c, struct buf *out);
/* The target that a server is asked for. */
void proxy_target(struct req *r, const struct proxy *v, struct buf *out);
void proxy_frame(struct call *c, uint64_t n, struct buf *out);
/* Whether the client asks for a WebSocket. */
bool proxy_upgrades(const struct ask *ask);
/* The Host field that the server is, or was, sent. */
struct str proxy_host(struct call *c);

/* proxy_hear.c */
enum heard proxy_hear(struct call *c, struct str *in, struct str *data);
enum heard proxy_fin(struct call *c);

/* proxy_reply.c: what a server says about itself, said about petrel. */
enum go proxy_reply(struct req *r, struct call *c);
