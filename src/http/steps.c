/* A request's life: a table of steps and one short driver.  Runs on the request's loop. */
#include "base/must.h"
#include "http/core.h"
#include "http/req.h"
#include "http/route.h"
#include "http/stream.h"
#include "http/trace.h"
#include "http/tunnel.h"

void req_unrouted(struct req *r)
{
	const struct conf *conf = req_conf(r);
	r->site = host_table_find(conf->hosts, r->ask.host);
	if (!r->site && conf->site_count)
		r->site = &conf->sites[0];
	r->route = r->site ? &r->site->fallback : &conf->unsited;
	r->captures.count = 0;
}

enum go req_route(struct req *r)
{
	const struct conf *conf = req_conf(r);
	if (str_eq(r->ask.path, STR("*"))) {
		req_unrouted(r);
		req_reads(r);  /* OPTIONS *: what the server as a whole allows */
		return GO_ANSWER;
	}
	r->site = r->admin ? r->home->admin : host_table_find(conf->hosts, r->ask.host);
	r->hook = 0;
	if (!r->site) {
		req_unrouted(r);
		return req_answer_why(r, 421, "No site of this name is served here.");
	}
	r->route = route_pick_after(r->site, r->passed, r->ask.path, &r->captures);
	if (!r->kept_status && r->ask.framing == FRAMING_LENGTH && r->ask.length_b > req_core(r)->body_b)
		return req_answer(r, 413);
	return GO_NEXT;
}

static enum go step_route(struct req *r)
{
	enum go go = req_route(r);
	if (r->home->taps || r->trace)
		trace_routed(r);
	return go;
}

/* Ends a hook's wait: what it kept is its own affair from now on. */
static enum go hook_said(struct req *r, enum go go)
{
	if (go == GO_WAIT)
		return go;
	r->state = NULL;
	r->state_close = NULL;
	return go;
}

static enum go step_gate(struct req *r)
{
	if (r->kept_status)
		return GO_NEXT;
	for (; r->hook < r->route->gates.count; r->hook++) {
		const struct hook *gate = &r->route->gates.p[r->hook];
		enum go go = hook_said(r, gate->module->gate(r, gate->values));
		if (go != GO_NEXT)
			return go;
	}
	return GO_NEXT;
}

static enum go step_handle(struct req *r)
{
	const struct hook *handler = &r->route->handler;
	if (r->listen)
		return stream_handle(r);
	if (r->ask.method == METHOD_TRACE)
		return req_answer(r, 405);
	if (!handler->module)
		return req_answer(r, 404);
	return hook_said(r, handler->module->handle(r, handler->values));
}

/* The page of an answer that went wrong has that answer's status; where it went wrong itself, the plain page has it. */
static void settle_page(struct req *r)
{
	if (r->answer.status == 200) {
		r->answer.status = r->kept_status;
		answer_remove(r, STR("ETag"));
		answer_remove(r, STR("Last-Modified"));
		answer_remove(r, STR("Accept-Ranges"));
	} else {
		req_answer(r, r->kept_status);
	}
}

/* Whether a field of the answer before goes with this one: an error is not what the application spoke of, and a 304 does
 * not describe bytes. */
static bool goes_with(const struct req *r, struct str name)
{
	unsigned status = r->answer.status;
	if (r->kept_status || status == 200 || status == 206 || str_eq_nocase(name, STR("set-cookie")))
		return true;
	return status == 304 && !str_eq_nocase(str_head(name, 8), STR("content-"));
}

/* In place of the new answer's own; there may be several of a name. */
static void put_kept(struct req *r)
{
	for (size_t i = 0; i < r->kept_field_count; i++)
		if (goes_with(r, r->kept_fields[i].name))
			answer_remove(r, r->kept_fields[i].name);
	for (size_t i = 0; i < r->kept_field_count; i++)
		if (goes_with(r, r->kept_fields[i].name))
			answer_add(r, r->kept_fields[i].name, r->kept_fields[i].value);
}

static enum go step_head(struct req *r)
{
	/* Each client's own fields and codings come on its own way. */
	if (r->fill)
		return GO_NEXT;
	if (r->kept_status && !r->hook)
		settle_page(r);
	if (!r->hook)
		put_kept(r);
	size_t count = r->route ? r->route->heads.count : 0;
	for (; r->hook < count; r->hook++) {
		const struct hook *head = &r->route->heads.p[r->hook];
		enum go go = hook_said(r, head->module->on_head(r, head->values));
		if (go != GO_NEXT)
			return go;
	}
	return GO_NEXT;
}

static enum go step_send(struct req *r)
{
	return r->wire->send(r);
}

struct meter *req_meter(const struct req *r)
{
	bool named = r->route && r->route->meter;
	return meters_at(r->home->meters, r->home->loop.index, named ? *r->route->meter : METER_REST);
}

static void measure(struct req *r)
{
	struct meter *m = req_meter(r);
	size_t class = r->answer.status / 100;
	counter_add(&m->by_class[r->first_ns && class < METER_CLASSES ? class : 0], 1);
	counter_add(&m->in_b, r->received_b);
	counter_add(&m->out_b, r->sent_b);
	/* How long somebody listened says nothing about how fast he was answered. */
	bool endless = (r->answer.endless || r->answer.tunnel) && r->first_ns;
	histogram_add(&m->time, ((endless ? r->first_ns : r->done_ns) - r->begin_ns) / 1000);
}

void req_log(struct req *r)
{
	r->done_ns = r->home->loop.now_ns;
	if (!r->admin)
		measure(r);
	for (size_t i = 0; r->route && i < r->route->dones.count; i++)
		r->route->dones.p[i].module->on_done(r, r->route->dones.p[i].values);
}

static enum go step_done(struct req *r)
{
	if (r->state && r->state_close)
		r->state_close(r, r->state);
	r->state = NULL;
	if (r->trace)
		trace_end(r);
	if (r->answer.tunnel && r->end == END_DONE)
		r->tunnel = tunnel_of(r->call);
	else if (!r->fill)
		req_log(r);
	if (r->answer.body)
		body_close(r->answer.body);
	r->answer.body = NULL;
	if (r->call)
		upstream_close(r->call);
	return GO_NEXT;
}

static enum go (*const STEPS[STEP_COUNT])(struct req *) = {
	[STEP_ROUTE] = step_route, [STEP_GATE] = step_gate, [STEP_HANDLE] = step_handle,
	[STEP_HEAD] = step_head,   [STEP_SEND] = step_send, [STEP_DONE] = step_done,
};

static void go_to(struct req *r, enum step step)
{
	r->step = step;
	r->hook = 0;
}

bool req_minds_fin(const struct req *r)
{
	if (r->call)
		return upstream_minds_fin(r->call);
	const struct outward *o = r->step == STEP_GATE && r->visit ? route_outward(r->route) : NULL;
	return o && outward_minds_fin(o);
}

void req_abort(struct req *r, enum end end)
{
	r->end = end;
	r->answer.close = true;
	if (r->step < STEP_DONE)
		go_to(r, STEP_DONE);
	must(req_run(r));
}

bool req_run(struct req *r)
{
	while (r->step < STEP_COUNT) {
		loop_trace(&r->home->loop, "request step", (uint64_t)r->step);
		switch (STEPS[r->step](r)) {
		case GO_NEXT:
			go_to(r, r->step + 1);
			break;
		case GO_ANSWER:
			must(r->step < STEP_HEAD);
			go_to(r, STEP_HEAD);
			break;
		case GO_AGAIN:
			must(r->step < STEP_SEND);
			go_to(r, STEP_ROUTE);
			break;
		case GO_WAIT:
			if (r->call)
				upstream_meanwhile(r->call);
			return false;
		case GO_FAIL:
			r->answer.close = true;
			go_to(r, STEP_DONE);
			break;
		}
	}
	return true;
}
