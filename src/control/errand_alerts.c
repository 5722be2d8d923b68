/* Errands about alerts: listing, silencing, trying.  The control thread. */
#include <errno.h>
#include <inttypes.h>

#include "base/num.h"
#include "config/guess.h"
#include "control/alert.h"
#include "control/errand.h"

void errand_alerts(struct control *c, struct admin_call *call)
{
	struct buf json = {};
	alerts_print(c->alerts, &json);
	admin_answer(call, 200, buf_str(&json));
	buf_fini(&json);
}

/* --- Silences. --- */

static void refuse_name(struct admin_call *call, const char *what, struct str name, const struct buf *names)
{
	struct guess guess = guess_of(name);
	struct str rest = buf_str(names);
	while (rest.n)
		guess_offer(&guess, str_trim(str_cut(&rest, ',')));
	if (guess.best.p)
		admin_refuse(call, 404, "there is no %s \"%.*s\"; did you mean \"%.*s\"?", what, STR_F(name), STR_F(guess.best));
	else
		admin_refuse(call, 404, "there is no %s \"%.*s\"; %s%.*s", what, STR_F(name),
		             names->n ? "there are: " : "there is none at all", STR_F(buf_str(names)));
}

static void refuse_alert(struct control *c, struct admin_call *call)
{
	struct buf names = {};
	alerts_names(c->alerts, &names);
	refuse_name(call, "alert", call->stars[0], &names);
	buf_fini(&names);
}

static void silence(struct control *c, struct admin_call *call, struct str time, struct str reason)
{
	uint64_t ms;
	if (num_parse_duration(time, &ms) || !ms || ms > SILENCE_MOST_MS) {
		admin_refuse(call, 400, "\"%.*s\" is no time from 1ms to 31d, such as 30m, 2h or 1d", STR_F(str_head(time, 60)));
		return;
	}
	int err = alerts_silence(c->alerts, call->stars[0], ms, reason, &call->caller);
	if (err)
		admin_refuse(call, 409, "there are %d silences already", SILENCES_MOST);
	else
		admin_did(call, "alert %.*s: nobody is told of it for %.*s%s%.*s%s", STR_F(call->stars[0]), STR_F(time),
		          reason.n ? " (" : "", STR_F(str_head(reason, 200)), reason.n ? ")" : "");
}

void errand_silence(struct control *c, struct admin_call *call)
{
	if (!alerts_know(c->alerts, call->stars[0])) {
		refuse_alert(c, call);
		return;
	}
	json_t *body = errand_body(call);
	if (!body)
		return;
	silence(c, call, errand_text(body, "for"), errand_text(body, "reason"));
	json_decref(body);
}

void errand_unsilence(struct control *c, struct admin_call *call)
{
	struct buf names = {};
	struct str name = call->stars[0];
	alerts_names(c->alerts, &names);
	if (alerts_unsilence(c->alerts, name))
		admin_did(call, "alert %.*s: whoever is to be told of it is told again", STR_F(name));
	else
		admin_refuse(call, 404, "the alert \"%.*s\" is not silenced; there are: %.*s", STR_F(name), STR_F(buf_str(&names)));
	buf_fini(&names);
}

/* --- Trying. --- */

void errand_test(struct control *c, struct admin_call *call)
{
	struct buf names = {};
	json_t *body = errand_body(call);
	if (!body)
		return;
	struct str name = errand_text(body, "notify");
	alerts_notify_names(c->alerts, &names);
	if (!names.n)
		admin_refuse(call, 404, "nobody is told of alerts: the configuration has no notify block");
	else if (!alerts_test(c->alerts, name, call))
		refuse_name(call, "notify", name, &names);
	json_decref(body);
	buf_fini(&names);
}
