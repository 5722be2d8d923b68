/* What happens when a call to an origin fails: another server, where that can do no harm, or an answer that says so.
 *
 * A request is repeated only where it can't have had an effect yet (no byte of it was sent), or may have it twice (RFC
 * 9110, 9.2.2), and its body can be sent a second time; as often as the pool allows, within the pool's budget, so that
 * retries can't bring down what is ill already. */
#include "http/ids.h"
#include "http/trace.h"
#include "http/upstream_parts.h"

enum { UNREACHED_MOST = 6 };

#define RETRY_ALWAYS (~0u)  /* whatever the pool says of faults: only how often counts */

static const struct {
	unsigned status;         /* that the client gets */
	unsigned retry;          /* RETRY_…: any of them allows another attempt; 0: never */
	enum outcome outcome;    /* for the server */
	enum end end;            /* where it was the last attempt */
} FAULTS[] = {
	[FAULT_NONE] = { 500, 0, OUTCOME_NONE, END_DONE },
	[FAULT_QUEUE] = { 503, 0, OUTCOME_NONE, END_QUEUE_FULL },
	[FAULT_NO_SERVER] = { 503, 0, OUTCOME_NONE, END_NO_SERVER },
	[FAULT_CONNECT] = { 502, RETRY_CONNECT, OUTCOME_FAILED, END_CONNECT },
	[FAULT_CONNECT_LATE] = { 504, RETRY_CONNECT | RETRY_TIMEOUT, OUTCOME_FAILED, END_CONNECT_TIMEOUT },
	[FAULT_BROKEN] = { 502, RETRY_BROKEN, OUTCOME_FAILED, END_SERVER_BROKE },
	[FAULT_STALE] = { 502, RETRY_ALWAYS, OUTCOME_NONE, END_SERVER_BROKE },
	[FAULT_LATE] = { 504, RETRY_TIMEOUT, OUTCOME_FAILED, END_ANSWER_TIMEOUT },
	[FAULT_BAD] = { 502, RETRY_BROKEN, OUTCOME_FAILED, END_SERVER_BAD },
	[FAULT_TOO_LARGE] = { 502, 0, OUTCOME_FAILED, END_SERVER_BAD },
	[FAULT_STATUS] = { 502, RETRY_ALWAYS, OUTCOME_FAILED, END_SERVER_BAD },
	[FAULT_CUT] = { 502, 0, OUTCOME_FAILED, END_SERVER_BROKE },
	[FAULT_UPLOAD] = { 400, 0, OUTCOME_NONE, END_DONE },
	[FAULT_ASK] = { 502, 0, OUTCOME_NONE, END_BAD },
};

bool upstream_status_fails(const struct call *c)
{
	unsigned on = c->outward->backend->retry_on;
	switch (c->reply.status) {
	case 429: return on & RETRY_429;
	case 500: return on & RETRY_500;
	case 502: return on & RETRY_502;
	case 503: return on & RETRY_503;
	case 504: return on & RETRY_504;
	default: return false;
	}
}

/* RFC 9110, 9.2.2. */
static bool is_idempotent(enum method m)
{
	return m == METHOD_GET || m == METHOD_HEAD || m == METHOD_PUT || m == METHOD_DELETE || m == METHOD_OPTIONS;
}

bool upstream_may_repeat(const struct call *c, enum fault fault)
{
	const struct backend *b = c->outward->backend;
	bool replays = !c->sent || !c->upload || c->collect;
	/* A stale connection is no attempt at a server.  It happens once: after it they are new. */
	if (c->req->trip.attempts > b->retry_most + c->unreached + (fault == FAULT_STALE || c->fresh))
		return false;
	unsigned retry = FAULTS[fault].retry;
	return (retry == RETRY_ALWAYS || (retry & b->retry_on)) && replays && (!c->sent || is_idempotent(c->req->ask.method));
}

static void forget(struct call *c)
{
	/* A connection that was idle too long says nothing about its server. */
	if (c->asked_peer && c->fault != FAULT_STALE && c->pick.tried_count < POOL_TRIED)
		c->pick.tried[c->pick.tried_count++] = c->asked_peer;
	c->asked_peer = NULL;
	c->fresh |= c->fault == FAULT_STALE;
	upstream_leave(c, FAULTS[c->fault].outcome, false);
	spool_fini(&c->spool);
	buf_fini(&c->kept);
	buf_clear(&c->out);
	c->kept = (struct buf){};
	c->input = c->ahead = (struct str){};
	c->out_at = c->given_b = 0;
	c->range.length_b = c->taken_b = 0;
	c->reply = (struct reply){};
	c->asked = c->uploaded = c->cut = c->sent = c->begun = c->large = c->paused = false;
	c->req->trip.answer_ns = 0;
}

/* Two messages, of which each is said once a second: who was given up is not to be lost among those who were not. */
static void say(const struct call *c, bool again)
{
	struct req *r = c->req;
	struct str name = c->outward->backend->name, id = req_name(r);
	struct str path = r->ask.path.n < 200 ? r->ask.path : STR("a long path");
	const char *peer = c->peer_name[0] ? c->peer_name : "no server:", *why = c->why ? c->why : "failed";
	if (again)
		log_note(r->home->ring, LOG_LEVEL_ERROR, "%.*s: %s %s; tried again elsewhere (%.*s, request %.*s)", STR_F(name),
		         peer, why, STR_F(path), STR_F(id));
	else
		log_note(r->home->ring, LOG_LEVEL_ERROR, "%.*s: %s %s; given up (%.*s, request %.*s)", STR_F(name), peer, why,
		         STR_F(path), STR_F(id));
}

/* An application's process ended before it took the connection, or with the request unread: a Unix socket is reset then,
 * and only closed where all was read.  That is no attempt at it. */
static bool was_unreached(const struct call *c)
{
	return c->outward->backend->is_app && c->unreached < UNREACHED_MOST &&
	       (c->fault == FAULT_CONNECT || (c->fault == FAULT_BROKEN && c->reset));
}

/* By which deadline, too: what the call waited for when it came. */
static enum end end_of(const struct call *c)
{
	if (c->fault == FAULT_QUEUE && c->at == CALL_QUEUE)
		return END_QUEUE_TIMEOUT;
	if (c->fault == FAULT_LATE && c->at == CALL_HOLD)
		return END_READ_TIMEOUT;
	if (c->fault == FAULT_LATE && (c->out.n > c->out_at || c->range.length_b))
		return END_SERVER_SEND;
	/* What there is of it may be right: its end is missing. */
	if (c->fault == FAULT_BAD && c->origin->ended)
		return END_SERVER_BROKE;
	return c->fault == FAULT_ASK && c->refused == 503 ? END_TEMPORARY : FAULTS[c->fault].end;
}

bool upstream_again(struct call *c)
{
	c->unreached += was_unreached(c);
	bool again = upstream_may_repeat(c, c->fault) && (c->fault == FAULT_STATUS || pool_may_retry(c->pool));
	if (c->fault != FAULT_UPLOAD && c->fault != FAULT_STALE)
		say(c, again);
	if (c->asked_peer && again)
		atomic_fetch_add(&c->asked_peer->retried, 1);
	c->req->cause = again ? END_DONE : end_of(c);
	if (is_traced(c))
		trace_failed(c, end_of(c));
	forget(c);
	c->at = CALL_PICK;
	return again;
}

/* The call is over with it: the page for its status may be another origin's to make. */
enum go upstream_sorry(struct call *c)
{
	struct req *r = c->req;
	upstream_close(c);
	if (c->fault == FAULT_UPLOAD)
		return req_upload_broken(r);
	if (c->fault == FAULT_QUEUE || c->fault == FAULT_NO_SERVER)
		return req_shed(r, r->cause);
	return req_answer_why(r, c->refused ? c->refused : FAULTS[c->fault].status, c->why);
}
