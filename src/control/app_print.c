/* An app and its processes as JSON.  The control thread. */
#include <inttypes.h>

#include "base/clock.h"
#include "base/mem.h"
#include "control/app.h"

static const char *const STATES[] = {
	[PROCESS_STARTING] = "starting", [PROCESS_WAKING] = "waking",   [PROCESS_READY] = "ready",
	[PROCESS_RETIRING] = "retiring", [PROCESS_ENDING] = "ending",   [PROCESS_KILLED] = "killed",
	[PROCESS_BACKOFF] = "backoff",   [PROCESS_GONE] = "gone",
};

const char *process_state_name(const struct process *p)
{
	return STATES[p->state];
}

static void print_lines(struct buf *out, const struct tail *l)
{
	buf_add(out, STR("\"lines\":["));
	for (unsigned i = 0; i < l->count; i++) {
		buf_add(out, i ? STR(",\"") : STR("\""));
		buf_add_json(out, tail_get(l, i));
		buf_add_char(out, '"');
	}
	buf_add_char(out, ']');
}

struct str process_due(const struct process *p)
{
	return p->due ? str_of(p->due) : p->generation != p->app->generation ? STR("restart") : STR("");
}

static void print_process(struct buf *out, struct process *p)
{
	uint64_t now_ms = p->app->ways->loop->now_ms;
	process_count(p);
	buf_add_char(out, '{');
	buf_add_member(out, "id", str_of(p->name));
	buf_addf(out, ",\"pid\":%d,\"state\":\"%s\",", (int)p->pid, process_state_name(p));
	buf_add_member(out, "due", process_due(p));
	buf_addf(out,
	         ",\"age_ms\":%" PRIu64 ",\"requests\":%" PRIu64 ",\"busy\":%u,\"memory\":%" PRIu64 ",\"descriptors\":%" PRIu64
	         ",\"port\":%u,\"failures\":%u,", now_ms - p->asked_ms, process_requests(p),
	         p->peer ? (unsigned)atomic_load(&p->peer->busy) : 0, p->memory_b, p->descriptors, p->slot.port, p->failures);
	print_lines(out, &p->said.last);
	buf_add_char(out, '}');
}

static void print_last(struct buf *out, const struct last_end *last)
{
	if (!last->text.n) {
		buf_add(out, STR("\"last_end\":null"));
		return;
	}
	buf_add(out, STR("\"last_end\":{"));
	buf_add_member(out, "text", buf_str(&last->text));
	buf_addf(out, ",\"ago_ms\":%" PRIu64 ",", clock_wall_ms() - last->wall_ms);
	print_lines(out, &last->lines);
	buf_add_char(out, '}');
}

void app_print(struct buf *out, struct app *a)
{
	struct pool_stats s = pool_stats(a->pool);
	buf_add_char(out, '{');
	buf_add_member(out, "name", buf_str(&a->name));
	buf_addf(out,
	         ",\"min\":%" PRIu64 ",\"max\":%" PRIu64 ",\"wanted\":%" PRIu64 ",\"requests\":%" PRIu64 ",\"waiting\":%" PRIu64
	         ",\"restarts\":%" PRIu64 ",", a->conf.processes_min, a->conf.processes_max, a->wanted, s.requests, s.waiting,
	         a->restarts);
	print_last(out, &a->last);
	buf_add(out, STR(",\n \"processes\":["));
	for (struct link *l = a->processes.next; l != &a->processes; l = l->next) {
		buf_add(out, l == a->processes.next ? STR("\n  ") : STR(",\n  "));
		print_process(out, container_of(l, struct process, link));
	}
	buf_add(out, STR("]}"));
}
