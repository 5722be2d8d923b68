/* The gate of the admin socket over TCP.  On the request's loop.
 *
 * A wrong token is answered late, so that guessing is slow, and the log says from where, at most once a second.  A name in
 * Host is refused before all: a page that had its own name point here (DNS rebinding) can't ask.  There is no CORS:
 * nothing answers OPTIONS, and no page of another origin may send the field with the token. */
#include "control/token.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/mem.h"
#include "http/core.h"

enum { WRONG_MS = 1000 };

/* One who has to wait for his refusal; in the request's arena. */
struct wrong {
	struct timer timer;
	struct req *req;
	bool over;
};

/* Takes as long whatever is wrong with it. */
static bool same_token(struct str token, struct str given)
{
	unsigned differ = token.n != given.n;
	for (size_t i = 0; i < token.n; i++)
		differ |= (unsigned char)token.p[i] ^ (unsigned char)(i < given.n ? given.p[i] : 0);
	return !differ;
}

static bool is_any(const struct ip *ip)
{
	for (size_t i = 0; i < ip_length(ip); i++)
		if (ip->bytes[i])
			return false;
	return true;
}

/* The line that the client came in by. */
static bool is_here(const struct listen_spec *spec, const struct ip *local)
{
	struct ip at = ip_of(&spec->addr.storage);
	if (!ip_length(&at) || at.port != local->port)
		return false;
	return is_any(&at) || (at.family == local->family && !memcmp(at.bytes, local->bytes, ip_length(&at)));
}

static bool has_token(struct req *r)
{
	const struct core *core = conf_core(req_conf(r));
	const struct listen_spec *specs = core->admins.p;
	struct str given = ask_field(&r->ask, FIELD_AUTHORIZATION);
	struct ip local = {};
	bool right = false;
	if (!str_eq_nocase(str_head(given, 7), STR("bearer ")))
		return false;
	given = str_trim(str_from(given, 7));
	r->wire->local(r, &local);
	for (size_t i = 0; i < core->admins.count; i++)
		if (specs[i].token.n && is_here(&specs[i], &local))
			right |= same_token(specs[i].token, given);
	return right;
}

/* An address, localhost, or none at all: whatever a name in the DNS can't be. */
static bool is_plain_host(struct str host)
{
	char text[INET6_ADDRSTRLEN + 1];
	struct in6_addr to;
	if (!host.n || str_eq(host, STR("localhost")))
		return true;
	if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = str_make(host.p + 1, host.n - 2);
	if (host.n >= sizeof text)
		return false;
	memcpy(text, host.p, host.n);
	text[host.n] = '\0';
	return inet_pton(AF_INET, text, &to) == 1 || inet_pton(AF_INET6, text, &to) == 1;
}

/* --- Refusing. --- */

static enum go refuse(struct req *r, unsigned status, struct str why)
{
	struct str json = arena_strf(&r->arena, "{\"ok\":false,\"error\":\"%.*s\"}\n", STR_F(why));
	answer_bytes(r, status, STR("application/json"), json);
	answer_add(r, STR("Cache-Control"), STR("no-store"));
	if (status == 401)
		answer_add(r, STR("WWW-Authenticate"), STR("Bearer realm=\"petrel\""));
	r->answer.close = true;
	return GO_ANSWER;
}

static void waited(struct timer *t)
{
	struct wrong *w = container_of(t, struct wrong, timer);
	w->over = true;
	loop_queue(&w->req->home->loop, w->req->task);
}

static void wrong_close(struct req *r, void *state)
{
	struct wrong *w = state;
	(void)r;
	timer_stop(&w->timer);
}

static enum go wait(struct req *r)
{
	struct wrong *w = ARENA_NEW(&r->arena, struct wrong);
	char from[INET6_ADDRSTRLEN];
	bool none = !ask_field(&r->ask, FIELD_AUTHORIZATION).p;
	log_note(r->home->ring, LOG_LEVEL_WARN, "admin: refused %.*s, who sent %s token", (int)ip_print(from, &r->peer), from,
	         none ? "no" : "a wrong");
	w->req = r;
	timer_init(&w->timer, waited);
	timer_set(&r->home->loop.wheel, &w->timer, r->home->loop.now_ms + WRONG_MS);
	r->state = w;
	r->state_close = wrong_close;
	return GO_WAIT;
}

enum go token_gate(struct req *r, const void *values)
{
	const struct wrong *w = r->state;
	(void)values;
	if (r->peer.family == AF_UNIX)
		return GO_NEXT;
	if (w)
		return w->over ? refuse(r, 401, STR("the token of this address is needed: Authorization: Bearer …")) : GO_WAIT;
	if (!is_plain_host(r->ask.host))
		return refuse(r, 403, STR("asked by a name, which could be anybody's: ask by the address"));
	return has_token(r) ? GO_NEXT : wait(r);
}
