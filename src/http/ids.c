/* Request ids and trace contexts: the client's where they are well-formed, else petrel's.  On the request's loop, in its
 * arena. */
#include "http/ids.h"

#include <sys/random.h>

#include "base/mem.h"
#include "base/must.h"

enum { ID_MOST = 64 };

/* A traceparent: version, trace's id, parent's id, flags, in lower-case hexadecimal digits with a '-' between them. */
enum { AT_TRACE = 3, TRACE_B = 32, AT_PARENT = 36, PARENT_B = 16, AT_FLAGS = 53, PARENT_ALL = 55 };

enum take { TAKE, MAKE, TAKE_OFF };
enum trace_how { TRACE_PASS, TRACE_MAKE, TRACE_OFF };

struct ids_conf {
	int take;            /* enum take */
	bool answer;
	int trace;           /* enum trace_how */
};

static const struct str ID = { "X-Request-Id", 12 }, PARENT = { "traceparent", 11 }, STATE = { "tracestate", 10 };

/* --- What the client sent. --- */

/* The value of the one field of this name; empty where there is none; NULL where there are several, or one that could be
 * taken for it. */
static struct str the_one(const struct ask *ask, struct str name)
{
	struct str value = STR("");
	bool any = false;
	for (size_t i = 0; i < ask->field_count; i++) {
		const struct field *f = &ask->fields[i];
		if (!field_is_like(f->name, name))
			continue;
		if (any || !str_eq_nocase(f->name, name))
			return (struct str){};
		value = f->value;
		any = true;
	}
	return value;
}

static bool is_well_formed(struct str id)
{
	if (!id.n || id.n > ID_MOST)
		return false;
	for (size_t i = 0; i < id.n; i++)
		if (!ascii_alpha(id.p[i]) && !ascii_digit(id.p[i]) && !memchr("._=+/-", id.p[i], 6))
			return false;
	return true;
}

static bool is_lower_hex(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_digit(s.p[i]) && !(s.p[i] >= 'a' && s.p[i] <= 'f'))
			return false;
	return true;
}

static bool is_zero(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != '0')
			return false;
	return true;
}

/* Trace Context, 3.2: of versions to come, what version 00 says has to hold for what it knows. */
static bool is_traceparent(struct str s)
{
	if (s.n < PARENT_ALL || s.p[AT_TRACE - 1] != '-' || s.p[AT_PARENT - 1] != '-' || s.p[AT_FLAGS - 1] != '-')
		return false;
	struct str version = str_head(s, 2), trace = str_make(s.p + AT_TRACE, TRACE_B);
	struct str parent = str_make(s.p + AT_PARENT, PARENT_B), flags = str_make(s.p + AT_FLAGS, 2);
	bool digits = is_lower_hex(version) && is_lower_hex(trace) && is_lower_hex(parent) && is_lower_hex(flags);
	if (!digits || str_eq(version, STR("ff")) || is_zero(trace) || is_zero(parent))
		return false;
	return s.n == PARENT_ALL || (!str_eq(version, STR("00")) && s.p[PARENT_ALL] == '-');
}

/* --- What goes on. --- */

static void add_own(struct ids *ids, struct req *r, struct str name, struct str value)
{
	if (!ids->own)
		ids->own = arena_raw(&r->arena, 2 * sizeof *ids->own);
	ids->own[ids->own_count++] = (struct field){ name, value, FIELD_OTHER };
}

static void set_request_id(struct ids *ids, struct req *r, const struct ids_conf *v)
{
	struct str claimed = v->take == TAKE ? the_one(&r->ask, ID) : (struct str){};
	if (v->take == TAKE_OFF)
		return;
	if (is_well_formed(claimed)) {
		ids->request_id = claimed;
		return;
	}
	char *own = arena_raw(&r->arena, REQ_ID_B);
	req_id_print(r, own);
	ids->request_id = str_make(own, REQ_ID_B);
	ids->hides_id = true;
	add_own(ids, r, ID, ids->request_id);
}

/* A trace that begins here, recorded, with this request as the first of its parts. */
static void make_trace(struct ids *ids, struct req *r)
{
	uint64_t random[2];
	must(getrandom(random, sizeof random, 0) == sizeof random);
	struct str text = arena_strf(&r->arena, "00-%016llx%016llx-%016llx-01", (unsigned long long)random[0],
	                             (unsigned long long)(random[1] | 1), (unsigned long long)(r->id ? r->id : 1));
	ids->trace_id = str_make(text.p + AT_TRACE, TRACE_B);
	add_own(ids, r, PARENT, text);
}

static void set_trace(struct ids *ids, struct req *r, const struct ids_conf *v)
{
	struct str claimed = v->trace == TRACE_OFF ? (struct str){} : the_one(&r->ask, PARENT);
	if (v->trace == TRACE_OFF)
		return;
	if (is_traceparent(claimed)) {
		ids->trace_id = str_make(claimed.p + AT_TRACE, TRACE_B);
		return;
	}
	/* Its state speaks of a parent that nobody knows. */
	ids->hides_trace = true;
	if (v->trace == TRACE_MAKE)
		make_trace(ids, r);
}

const struct ids *req_ids(struct req *r)
{
	const struct ids_conf *v = r->ids ? NULL : req_values(r, &IDS);
	if (r->ids)
		return r->ids;
	struct ids *ids = ARENA_NEW(&r->arena, struct ids);
	r->ids = ids;
	if (v) {
		set_request_id(ids, r, v);
		set_trace(ids, r, v);
	}
	return ids;
}

bool ids_pass(const struct ids *ids, struct str name)
{
	switch (name.n) {
	case sizeof "X-Request-Id" - 1:
		return !ids->request_id.n || !field_is_like(name, ID) || (!ids->hides_id && str_eq_nocase(name, ID));
	case sizeof "traceparent" - 1:
		return !ids->hides_trace || !field_is_like(name, PARENT);
	case sizeof "tracestate" - 1:
		return !ids->hides_trace || !field_is_like(name, STATE);
	default:
		return true;
	}
}

struct str req_name(struct req *r)
{
	const struct ids *ids = req_ids(r);
	if (ids->request_id.n)
		return ids->request_id;
	char *own = arena_raw(&r->arena, REQ_ID_B);
	req_id_print(r, own);
	return str_make(own, REQ_ID_B);
}

/* --- On the answer. --- */

static bool ids_active(const void *values)
{
	const struct ids_conf *v = values;
	return v->answer && v->take != TAKE_OFF;
}

static enum go ids_head(struct req *r, const void *values)
{
	(void)values;
	answer_set(r, ID, req_ids(r)->request_id);
	return GO_NEXT;
}

static const char *const TAKES[] = { "take", "make", "off", NULL };
static const char *const TRACES[] = { "pass", "make", "off", NULL };

static const struct directive DIRECTIVES[] = {
	{ .name = "request_id", .scopes = SCOPE_ALL,
	  .args = ARGS({ "how", &TYPE_CHOICE, offsetof(struct ids_conf, take), .preset = "take", .range = { .words = TAKES } },
	               { "answer", NULL, offsetof(struct ids_conf, answer), ARG_SWITCH }),
	  .doc = "The id by which a request is known to its application (X-Request-Id, in CGI's variables HTTP_X_REQUEST_ID), "
	         "to the error log, and to access logs as $request_id. take: the one that the client sent, where it is at most "
	         "64 letters, digits and . _ = + / -, else one of petrel's; make: always petrel's, which is $id; off: petrel "
	         "makes none, and what a client sends goes on like any other field. answer: the client is told, too.",
	  .example = "request_id make answer;" },
	{ .name = "traceparent", .scopes = SCOPE_ALL,
	  .args = ARGS({ "how", &TYPE_CHOICE, offsetof(struct ids_conf, trace), .preset = "pass",
	                 .range = { .words = TRACES } }),
	  .doc = "The W3C's Trace Context, of which $trace_id is a part. pass: a valid traceparent goes on to the application "
	         "as it came, tracestate with it, and an invalid one does not; make: where there is no valid one, a trace "
	         "begins here; off: petrel takes no notice of either field.",
	  .example = "traceparent make;" },
	{},
};

const struct module IDS = {
	.name = "request_id",
	.doc = "What a request is known by to all the programs that it goes through: request ids and trace contexts.",
	.size = sizeof(struct ids_conf),
	.directives = DIRECTIVES,
	.active = ids_active,
	.on_head = ids_head,
};
