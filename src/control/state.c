/* The document of what is kept: its parts, and its way to the supervisor.  The control thread. */
#include "control/state.h"

#include <stdlib.h>

#include "base/mem.h"
#include "control/admin.h"
#include "control/alert.h"
#include "control/keeper.h"

static json_t *servers_kept(const struct control *c)
{
	return keeper_kept(c->keeper);
}

static void servers_restore(struct control *c, const json_t *list, struct buf *lost)
{
	keeper_restore(c->keeper, list, lost);
}

static json_t *silences_kept(const struct control *c)
{
	return alerts_kept(c->alerts);
}

static void silences_restore(struct control *c, const json_t *list, struct buf *lost)
{
	(void)lost;
	alerts_restore(c->alerts, list);
}

static const struct state_part PARTS[] = {
	{ "settings", true, settings_kept, settings_restore },
	{ "servers", false, servers_kept, servers_restore },
	{ "silences", false, silences_kept, silences_restore },
};

static const char VERSION[] = "state 1";

void state_init(struct state *s)
{
	*s = (struct state){};
	link_init(&s->calls);
}

void state_fini(struct state *s)
{
	buf_fini(&s->sent);
	json_decref(s->found);
	state_init(s);
}

void state_print(const struct control *c, struct buf *out)
{
	json_t *all = json_pack("{s:s}", "petrel", VERSION);
	bool any = false;
	for (size_t i = 0; i < countof(PARTS); i++) {
		json_t *list = PARTS[i].print(c);
		any |= json_array_size(list) > 0;
		json_object_set_new(all, PARTS[i].name, list);
	}
	char *text = any ? json_dumps(all, JSON_INDENT(1)) : NULL;
	if (text)
		buf_addf(out, "%s\n", text);
	free(text);
	json_decref(all);
}

/* --- There. --- */

bool state_keep(struct control *c, struct admin_call *call)
{
	struct state *s = &c->state;
	struct buf now = {};
	state_print(c, &now);
	if (!c->ops->keep || str_eq(buf_str(&now), buf_str(&s->sent))) {
		buf_fini(&now);
		return false;
	}
	buf_fini(&s->sent);
	s->sent = now;
	link_add(&s->calls, &call->link);
	c->ops->keep(c, buf_str(&s->sent));
	return true;
}

void state_kept(struct control *c, struct str why)
{
	struct state *s = &c->state;
	if (link_alone(&s->calls))
		return;
	struct admin_call *call = container_of(s->calls.next, struct admin_call, link);
	link_del(&call->link);
	admin_kept(call, why);
}

void state_end(struct control *c)
{
	while (!link_alone(&c->state.calls))
		state_kept(c, STR("the server is stopping"));
}

/* --- Back. --- */

void state_found(struct state *s, struct str text, struct buf *lost)
{
	json_error_t error;
	if (!text.n)
		return;
	json_t *found = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, &error);
	const char *version = json_string_value(json_object_get(found, "petrel"));
	if (!found)
		buf_addf(lost, "what was kept can't be read, and is lost: line %d, column %d: %s", error.line, error.column,
		         error.text);
	else if (!version || !str_eq(str_of(version), str_of(VERSION)))
		buf_add(lost, STR("what was kept can't be read, and is lost: it is no state of this petrel"));
	json_decref(s->found);
	s->found = lost->n ? NULL : found;
	if (lost->n)
		json_decref(found);
	/* What the supervisor has: so that what could not be used is overwritten by the next change only. */
	buf_clear(&s->sent);
	buf_add(&s->sent, text);
}

void state_restore(struct control *c, bool early, struct buf *lost)
{
	struct state *s = &c->state;
	for (size_t i = 0; i < countof(PARTS) && s->found; i++)
		if (PARTS[i].early == early)
			PARTS[i].restore(c, json_object_get(s->found, PARTS[i].name), lost);
	if (early)
		return;
	json_decref(s->found);
	s->found = NULL;
}
