/* allow and deny: who may ask, by address.  Runs on the request's loop; keeps nothing.
 *
 * The smallest network that holds the client decides, wherever it stands: networks are either nested or apart, so that
 * whatever a list read from top to bottom could mean, this means, too, and no order among directives matters. */
#include "base/mem.h"
#include "handlers/handlers.h"
#include "http/req.h"
#include "net/addr.h"

struct rule {
	struct items networks;  /* struct network */
};

struct access {
	struct items allow, deny;  /* struct rule */
};

static bool access_active(const void *values)
{
	const struct access *v = values;
	return v->allow.count || v->deny.count;
}

/* How closely a network describes its clients; everyone is less than all of one family. */
static int closeness(const struct network *n)
{
	return n->ip.family == AF_UNSPEC ? 0 : 1 + n->bits;
}

/* The closeness of the best match; -1: none. */
static int best_match(const struct items *rules, const struct ip *ip)
{
	int best = -1;
	for (size_t i = 0; i < rules->count; i++) {
		const struct rule *rule = (const struct rule *)rules->p + i;
		const struct network *networks = rule->networks.p;
		for (size_t k = 0; k < rule->networks.count; k++)
			if (closeness(&networks[k]) > best && network_has(&networks[k], ip))
				best = closeness(&networks[k]);
	}
	return best;
}

static enum go access_gate(struct req *r, const void *values)
{
	const struct access *v = values;
	int allowed = best_match(&v->allow, &r->peer), denied = best_match(&v->deny, &r->peer);
	if (allowed > denied || (allowed == denied && allowed < 0 && !v->allow.count))
		return GO_NEXT;
	return req_answer(r, 403);
}

static const struct directive DIRECTIVES[] = {
	{ .name = "allow", .kind = DIR_LIST, .scopes = SCOPE_ALL, .offset = offsetof(struct access, allow),
	  .item_size = sizeof(struct rule),
	  .args = ARGS({ "network", &TYPE_NETWORK, offsetof(struct rule, networks), ARG_MANY }),
	  .doc = "Who may ask: an address, a network, unix, or all. Once anybody is allowed, everybody who is not is answered "
	         "403. Among all networks of allow and deny that hold the client, the smallest decides.",
	  .example = "route = /-/status { allow 127.0.0.0/8 ::1; respond 200; }" },
	{ .name = "deny", .kind = DIR_LIST, .scopes = SCOPE_ALL, .offset = offsetof(struct access, deny),
	  .item_size = sizeof(struct rule),
	  .args = ARGS({ "network", &TYPE_NETWORK, offsetof(struct rule, networks), ARG_MANY }),
	  .doc = "Who may not ask, and is answered 403.",
	  .example = "allow 10.0.0.0/8;\ndeny 10.0.0.5;" },
	{},
};

const struct module ACCESS = {
	.name = "access",
	.doc = "Who may ask, by address.",
	.size = sizeof(struct access),
	.directives = DIRECTIVES,
	.active = access_active,
	.gate = access_gate,
	.gate_foretells = true,
};
