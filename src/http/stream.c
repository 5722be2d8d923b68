/* Streams: the handler and its codec, which says nothing and hears nothing.  Runs on the connection's loop. */
#include "http/stream.h"

#include "http/codec.h"
#include "net/listener.h"

static unsigned stream_ask(struct call *c, struct buf *out)
{
	(void)c;
	(void)out;
	return 0;
}

static enum heard stream_hear(struct call *c, struct str *in, struct str *data)
{
	(void)c;
	(void)in;
	(void)data;
	return HEARD_MORE;
}

static enum heard stream_fin(struct call *c)
{
	(void)c;
	return HEARD_BAD;
}

static const struct codec CODEC = {
	.name = "stream",
	.is_raw = true,
	.ask = stream_ask,
	.hear = stream_hear,
	.fin = stream_fin,
};

enum go stream_handle(struct req *r)
{
	if (r->call)
		return upstream_handle(r, r->call->outward);
	struct outward *o = ARENA_NEW(&r->arena, struct outward);
	*o = (struct outward){ .codec = &CODEC, .backend = backend_find(req_conf(r), r->listen->stream) };
	return upstream_handle(r, o);
}
