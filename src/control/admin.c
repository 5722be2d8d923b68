/* Calls to the control thread, and the admin socket's handler, which makes one of each request.  Runs on the loop of
 * the request; admin_answer() and what it is answered by run on the worker's control thread. */
#include "control/admin.h"

#include <sys/socket.h>

#include "base/clock.h"
#include "base/mem.h"
#include "control/errand.h"
#include "control/token.h"
#include "http/exchange.h"

/* --- There and back. --- */

void admin_call_free(struct admin_call *call)
{
	mem_str_free(call->path);
	mem_str_free(call->query);
	buf_fini(&call->body);
	buf_fini(&call->did);
	buf_fini(&call->json);
	mem_free(call);
}

static void came_home(struct mail *m)
{
	struct admin_call *call = container_of(m, struct admin_call, mail);
	call->home_again = true;
	if (call->req)
		loop_queue(&call->home->loop, call->req->task);
	else
		admin_call_free(call);
}

void admin_answer(struct admin_call *call, unsigned status, struct str json)
{
	call->status = status;
	buf_add(&call->json, json);
	call->mail.deliver = came_home;
	mailbox_post(&call->home->loop.mailbox, &call->mail);
}

/* {"ok":…,"NAME":"text"} */
static void add_text(struct buf *json, bool ok, const char *name, struct str text)
{
	buf_addf(json, "{\"ok\":%s,\"%s\":\"", ok ? "true" : "false", name);
	buf_add_json(json, text);
	buf_add(json, STR("\"}\n"));
}

void admin_refuse(struct admin_call *call, unsigned status, const char *format, ...)
{
	struct buf text = {}, json = {};
	va_list args;
	va_start(args, format);
	buf_addv(&text, format, args);
	va_end(args);
	add_text(&json, false, "error", buf_str(&text));
	admin_answer(call, status, buf_str(&json));
	buf_fini(&text);
	buf_fini(&json);
}

void admin_note(struct admin_call *call, struct str what)
{
	changes_add(&call->control->changes, clock_wall_ms(), &call->caller, what);
}

/* "kept" stands there where it was asked for. */
static void answer_did(struct admin_call *call, struct str but)
{
	struct buf json = {};
	buf_add(&json, STR("{\"ok\":true,\"did\":\""));
	buf_add_json(&json, buf_str(&call->did));
	buf_add_json(&json, but);
	buf_add_char(&json, '"');
	if (call->keep)
		buf_addf(&json, ",\"kept\":%s", but.n ? "false" : "true");
	buf_add(&json, STR("}\n"));
	admin_answer(call, 200, buf_str(&json));
	buf_fini(&json);
}

void admin_did(struct admin_call *call, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	buf_addv(&call->did, format, args);
	va_end(args);
	if (call->keep)
		buf_add(&call->did, STR("; kept"));
	admin_note(call, buf_str(&call->did));
	if (!state_keep(call->control, call))
		answer_did(call, STR(""));
}

void admin_kept(struct admin_call *call, struct str why)
{
	struct buf but = {};
	if (why.n)
		buf_addf(&but, ", but not over a restart of the server: %.*s", STR_F(why));
	answer_did(call, buf_str(&but));
	buf_fini(&but);
}

static void at_control(struct mail *m)
{
	struct admin_call *call = container_of(m, struct admin_call, mail);
	errand_run(call);
}

/* --- On the request's loop. --- */

/* The client left, or was answered. */
static void call_close(struct req *r, void *state)
{
	struct admin_call *call = state;
	(void)r;
	if (!call->sent || call->home_again)
		admin_call_free(call);
	else
		call->req = NULL;
}

/* Of a Unix socket the kernel knows who is at its other end: an HTTP/1 connection carries all that there is. */
static struct caller caller_of(struct req *r)
{
	struct ucred cred = {};
	socklen_t length = sizeof cred;
	const struct exchange *x = container_of(r, struct exchange, req);
	if (r->peer.family != AF_UNIX)
		return (struct caller){ .from = r->peer, .token = r->admin };
	if (getsockopt(x->conn->watch.fd, SOL_SOCKET, SO_PEERCRED, &cred, &length))
		return (struct caller){};
	return (struct caller){ .pid = cred.pid, .uid = cred.uid };
}

/* What the stars stand for moves with the copy of the path. */
static void copy_path(struct admin_call *call, struct str path, const struct str *stars)
{
	call->path = mem_str(path);
	for (size_t i = 0; stars && i < ADMIN_STARS; i++)
		if (stars[i].p)
			call->stars[i] = str_make(call->path.p + (stars[i].p - path.p), stars[i].n);
}

struct admin_call *admin_call_new(struct req *r, const struct errand *errand, struct str path, const struct str *stars)
{
	struct admin_call *call = MEM_NEW(struct admin_call);
	call->control = r->home->control;
	call->errand = errand;
	call->home = r->home;
	call->req = r;
	call->caller = caller_of(r);
	copy_path(call, path, stars);
	call->query = mem_str(r->admin ? r->ask.query : STR(""));
	r->state = call;
	r->state_close = call_close;
	return call;
}

enum go admin_send(struct admin_call *call)
{
	call->sent = true;
	call->mail.deliver = at_control;
	mailbox_post(call->control->box, &call->mail);
	return GO_WAIT;
}

enum go admin_body(struct req *r, struct buf *out, size_t most_b)
{
	struct chunk chunk;
	enum body_got got;
	while ((got = body_read(r->upload, &chunk, most_b)) != BODY_END) {
		if (got == BODY_LATER)
			return GO_WAIT;
		if (got == BODY_BROKEN)
			return req_upload_broken(r);
		buf_add(out, chunk.bytes);
		if (out->n > most_b)
			return req_answer(r, 413);
	}
	return GO_NEXT;
}

/* --- The handler. --- */

static enum go take_body(struct req *r, struct admin_call *call)
{
	enum go go = call->errand->body ? admin_body(r, &call->body, ADMIN_BODY_B) : GO_NEXT;
	if (go == GO_NEXT)
		return admin_send(call);
	if (go != GO_WAIT)
		admin_call_free(call);
	return go;
}

static enum go answer_call(struct req *r, struct admin_call *call)
{
	bool fine = call->status == 200;
	const char *type = fine && call->errand->type ? call->errand->type : "application/json";
	enum go go = GO_ANSWER;
	if (fine && call->errand->begin)
		go = call->errand->begin(r, call);
	else
		answer_bytes(r, call->status, str_of(type), arena_str(&r->arena, buf_str(&call->json)));
	admin_call_free(call);
	return go;
}

static enum go answer_wrong(struct req *r, unsigned status, struct str text)
{
	struct buf json = {};
	add_text(&json, false, "error", text);
	answer_bytes(r, status, STR("application/json"), arena_str(&r->arena, buf_str(&json)));
	buf_fini(&json);
	return GO_ANSWER;
}

static enum go no_errand(struct req *r, const struct buf *methods)
{
	struct buf text = {};
	enum go go;
	if (methods->n) {
		struct str allow = arena_str(&r->arena, buf_str(methods));
		buf_addf(&text, "%.*s can't be asked for by %.*s; by %.*s it can", STR_F(r->ask.path), STR_F(r->ask.method_name),
		         STR_F(allow));
		go = answer_wrong(r, 405, buf_str(&text));
		answer_set(r, STR("Allow"), allow);
	} else {
		buf_addf(&text, "there is no %.*s here; there are: ", STR_F(r->ask.path));
		errand_list(&text);
		go = answer_wrong(r, 404, buf_str(&text));
	}
	buf_fini(&text);
	return go;
}

static enum go admin_handle(struct req *r, const void *values)
{
	struct admin_call *call = r->state;
	(void)values;
	if (call && call->sent)
		return call->home_again ? answer_call(r, call) : GO_WAIT;
	if (!call) {
		struct str stars[ADMIN_STARS] = {};
		struct buf methods = {};
		const struct errand *errand = errand_find(r->ask.method, r->ask.path, stars, &methods);
		enum go go = errand ? GO_NEXT : no_errand(r, &methods);
		buf_fini(&methods);
		if (!errand)
			return go;
		call = admin_call_new(r, errand, r->ask.path, stars);
	}
	return take_body(r, call);
}

const struct module ADMIN = {
	.name = "admin",
	.doc = "The admin socket.",
	.gate = token_gate,
	.handle = admin_handle,
};

static const struct str NAMES[] = { { "admin", 5 } };
static const struct hook GATES[] = { { &ADMIN, NULL } };
static const struct route ROUTES[] = {
	{ .gates = { GATES, 1 }, .pattern = { .kind = PATTERN_PREFIX }, .handler = { &ADMIN, NULL } },
};

const struct site ADMIN_SITE = {
	.names = NAMES,
	.name_count = 1,
	.routes = ROUTES,
	.route_count = 1,
};
