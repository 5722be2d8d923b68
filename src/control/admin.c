/* The admin socket's handler.  Runs on the loop of its connection; admin_answer() and what struct control offers run on
 * the worker's control thread. */
#include "control/admin.h"

#include "base/mem.h"

/* --- There and back. --- */

static void call_free(struct admin_call *call)
{
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
		call_free(call);
}

void admin_answer(struct admin_call *call, unsigned status, struct str json)
{
	call->status = status;
	buf_add(&call->json, json);
	call->mail.deliver = came_home;
	mailbox_post(&call->home->loop.mailbox, &call->mail);
}

static void at_control(struct mail *m)
{
	struct admin_call *call = container_of(m, struct admin_call, mail);
	call->control->run[call->errand](call->control, call);
}

/* The client left, or was answered. */
static void call_close(struct req *r, void *state)
{
	struct admin_call *call = state;
	(void)r;
	if (call->home_again)
		call_free(call);
	else
		call->req = NULL;
}

/* --- The handler. --- */

static const struct {
	struct str path;
	enum method method;
	struct str allow;
} ERRANDS[ERRAND_COUNT] = {
	[ERRAND_RELOAD] = { { "/reload", 7 }, METHOD_POST, { "POST", 4 } },
	[ERRAND_STATUS] = { { "/status.json", 12 }, METHOD_GET, { "GET", 3 } },
};

static enum go send_call(struct req *r, enum errand errand)
{
	struct admin_call *call = MEM_NEW(struct admin_call);
	call->control = r->home->control;
	call->errand = errand;
	call->home = r->home;
	call->req = r;
	r->state = call;
	r->state_close = call_close;
	call->mail.deliver = at_control;
	mailbox_post(call->control->box, &call->mail);
	return GO_WAIT;
}

static enum go answer_call(struct req *r, struct admin_call *call)
{
	answer_bytes(r, call->status, STR("application/json"), arena_str(&r->arena, buf_str(&call->json)));
	call_free(call);
	return GO_ANSWER;
}

static enum go admin_handle(struct req *r, const void *values)
{
	struct admin_call *call = r->state;
	(void)values;
	if (call)
		return call->home_again ? answer_call(r, call) : GO_WAIT;
	for (enum errand e = 0; e < ERRAND_COUNT; e++) {
		if (!str_eq(r->ask.path, ERRANDS[e].path))
			continue;
		if (r->ask.method == ERRANDS[e].method)
			return send_call(r, e);
		req_answer(r, 405);
		answer_set(r, STR("Allow"), ERRANDS[e].allow);
		return GO_ANSWER;
	}
	return req_answer_why(r, 404, "The admin socket knows POST /reload and GET /status.json.");
}

const struct module ADMIN = {
	.name = "admin",
	.doc = "The admin socket.",
	.handle = admin_handle,
};

static const struct str NAMES[] = { { "admin", 5 } };
static const struct route ROUTES[] = { { .pattern = { .kind = PATTERN_PREFIX }, .handler = { &ADMIN, NULL } } };

const struct site ADMIN_SITE = {
	.names = NAMES,
	.name_count = 1,
	.routes = ROUTES,
	.route_count = 1,
};
