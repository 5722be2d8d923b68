/* throttle: answers that go out no faster than so.  Runs on the request's loop; keeps nothing: the connection that sends
 * keeps to the rate. */
#include "handlers/handlers.h"
#include "http/req.h"

struct throttle {
	uint64_t rate_bps, after_b;
};

static bool throttle_active(const void *values)
{
	const struct throttle *v = values;
	return v->rate_bps;
}

static enum go throttle_gate(struct req *r, const void *values)
{
	const struct throttle *v = values;
	r->throttle_bps = v->rate_bps;
	r->throttle_after_b = v->after_b;
	return GO_NEXT;
}

static const struct directive DIRECTIVES[] = {
	{ .name = "throttle", .scopes = SCOPE_ALL, .offset = 0,
	  .args = ARGS({ "bytes_per_second", &TYPE_SIZE, offsetof(struct throttle, rate_bps), .range = { .max = 1ull << 40 },
	                 .preset = "0" },
	               { "after", &TYPE_SIZE, offsetof(struct throttle, after_b), ARG_KEYWORD, { .max = 1ull << 40 } }),
	  .doc = "The body of each answer is sent no faster than this; after a size: what comes before it is sent at once. 0: "
	         "as fast as it goes.",
	  .example = "throttle 500k;\nthrottle 2m after 10m;" },
	{},
};

const struct module THROTTLE = {
	.name = "throttle",
	.doc = "Answers that go out no faster than a given rate.",
	.size = sizeof(struct throttle),
	.directives = DIRECTIVES,
	.active = throttle_active,
	.gate = throttle_gate,
	.gate_foretells = true,
};
