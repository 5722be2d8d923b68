/* Pools of memcached servers over the admin socket, as JSON.  On the control thread; what is printed was true at some time
 * while it was. */
#include <inttypes.h>

#include "control/errand.h"
#include "http/memcached.h"

struct printing {
	struct buf *out;
	bool any;
};

static const char *state_name(enum breaker_state s)
{
	static const char *const NAMES[] = { [BREAKER_CLOSED] = "ready", [BREAKER_OPEN] = "away",
		                             [BREAKER_RAMP] = "returning" };
	return NAMES[s];
}

static void print_server(struct buf *out, const struct memcached_server_stats *s)
{
	buf_add_member(out, "server", s->name);
	buf_addf(out, ",\"state\":\"%s\",", state_name(s->state));
	buf_add_member(out, "why", s->state == BREAKER_CLOSED ? STR("") : str_of(breaker_sentence(s->why)));
	buf_addf(out,
	         ",\"gets\":%" PRIu64 ",\"hits\":%" PRIu64 ",\"misses\":%" PRIu64 ",\"sets\":%" PRIu64 ",\"deletes\":%" PRIu64
	         ",\"late\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"errors\":%" PRIu64 ",\"skipped\":%" PRIu64 ",\"full\":%" PRIu64
	         ",\"connects\":%" PRIu64 ",\"opened\":%" PRIu64 ",\"kept\":%" PRIu64 ",\"kept_lost\":%" PRIu64,
	         s->gets, s->hits, s->misses, s->sets, s->deletes, s->late, s->lost, s->errors, s->skipped, s->full,
	         s->connects, s->opened, s->kept, s->kept_lost);
}

static void print_memcached(void *arg, struct memcached *m)
{
	struct printing *p = arg;
	buf_add(p->out, p->any ? STR(",\n {") : STR("\n {"));
	p->any = true;
	buf_add_member(p->out, "name", memcached_name(m));
	buf_add(p->out, STR(",\"servers\":["));
	for (size_t i = 0; i < memcached_server_count(m); i++) {
		struct memcached_server_stats s;
		memcached_stats(m, i, &s);
		buf_add(p->out, i ? STR(",\n  {") : STR("\n  {"));
		print_server(p->out, &s);
		buf_add_char(p->out, '}');
	}
	buf_add(p->out, STR("]}"));
}

void errand_memcached(struct control *c, struct admin_call *call)
{
	struct buf json = {};
	struct printing p = { &json, false };
	buf_add(&json, STR("{\"memcached\":["));
	memcacheds_each(c->memcacheds, print_memcached, &p);
	buf_add(&json, STR("]}\n"));
	admin_answer(call, 200, buf_str(&json));
	buf_fini(&json);
}
