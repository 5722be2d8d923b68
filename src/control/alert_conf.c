/* The directives of alerts, and what their types can't know.  The thread that builds configurations; what is read of a
 * condition here is thrown away, since rules outlive snapshots and read it again (control/alert_rule.c). */
#include "control/alert_conf.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"
#include "config/guess.h"
#include "http/backend.h"
#include "http/check.h"
#include "http/conf.h"
#include "http/head.h"

const struct alerts_conf *conf_alerts(const struct conf *c)
{
	for (size_t i = 0; i < c->module_count; i++)
		if (c->modules[i] == &ALERTS)
			return c->values[i];
	return NULL;
}

bool alert_builtin_is_on(const struct alerts_conf *a, size_t builtin)
{
	const int *off = a->builtin_names.p;
	for (size_t i = 0; i < a->builtin_names.count; i++)
		if (off[i] == (int)builtin)
			return !a->builtin_off;
	return !a->builtin_off || a->builtin_names.count;
}

const struct notify_conf *notify_find(const struct alerts_conf *a, struct str name)
{
	const struct notify_conf *p = a->notifies.p;
	for (size_t i = 0; i < a->notifies.count; i++)
		if (str_eq(p[i].name, name))
			return &p[i];
	return NULL;
}

struct str alert_when(struct arena *arena, const struct items *words)
{
	const struct str *p = words->p;
	struct buf text = {};
	for (size_t i = 0; i < words->count; i++) {
		if (i)
			buf_add_char(&text, ' ');
		buf_add(&text, p[i]);
	}
	struct str all = arena_str(arena, buf_str(&text));
	buf_fini(&text);
	return all;
}

/* --- URLs. --- */

static bool is_visible(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || (unsigned char)s.p[i] >= 0x7f)
			return false;
	return true;
}

int url_parse(struct str text, struct url *out, const char **why)
{
	uint64_t port = 1;
	*out = (struct url){ .tls = str_starts(text, STR("https://")) };
	*why = "it has to begin with https:// or http://";
	if (!out->tls && !str_starts(text, STR("http://")))
		return -EINVAL;
	*why = "blanks and other characters than those of URLs have to be encoded, as %20";
	if (!is_visible(text))
		return -EINVAL;
	struct str rest = str_from(text, out->tls ? 8 : 7);
	rest = str_head(rest, str_find(rest, '#'));
	size_t end = str_find(str_head(rest, str_find(rest, '?')), '/');
	out->authority = str_head(rest, end);
	out->target = str_from(rest, out->authority.n);
	*why = "a user and password can't stand there: header Authorization \"...\";";
	if (str_find(out->authority, '@') < out->authority.n)
		return -EINVAL;
	bool v6 = str_starts(out->authority, STR("["));
	size_t close = v6 ? str_find(out->authority, ']') : 0, colon = str_rfind(out->authority, ':');
	bool has_port = colon < out->authority.n && (!v6 || colon > close);
	out->host = str_head(out->authority, has_port ? colon : out->authority.n);
	out->port = has_port ? str_from(out->authority, colon + 1) : out->tls ? STR("443") : STR("80");
	if (v6)
		out->host = str_from(str_head(out->host, close), 1);
	*why = "its host or port is wrong";
	if (!out->host.n || (v6 && close >= out->authority.n) || num_parse(out->port, 65535, &port) || !port)
		return -EINVAL;
	return 0;
}

/* --- Names. --- */

static bool is_name(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_alpha(s.p[i]) && !ascii_digit(s.p[i]) && s.p[i] != '-' && s.p[i] != '_' && s.p[i] != '.')
			return false;
	return s.n && s.n <= ALERT_NAME_B && ascii_alpha(s.p[0]);
}

static void check_name(struct checker *c, const struct str *name)
{
	if (is_name(*name) && !str_eq(*name, ALERT_TO_NOBODY) && !str_eq(*name, STR("all")))
		return;
	check_error(c, name, "\"%.*s\" can't be a name here", STR_F(*name));
	check_hint(c, "a name begins with a letter, has letters, digits and - _ . only, and at most %d of them; all and "
	              "nobody are none", ALERT_NAME_B);
}

static void check_to(struct checker *c, const struct alerts_conf *a, const struct items *to)
{
	const struct str *names = to->p;
	const struct notify_conf *all = a->notifies.p;
	for (size_t i = 0; i < to->count; i++) {
		struct guess guess = guess_of(names[i]);
		if (notify_find(a, names[i]) || (to->count == 1 && str_eq(names[i], ALERT_TO_NOBODY)))
			continue;
		for (size_t k = 0; k < a->notifies.count; k++)
			guess_offer(&guess, all[k].name);
		check_error(c, &names[i], "there is no notify \"%.*s\"", STR_F(names[i]));
		if (guess.best.p)
			check_hint(c, "did you mean \"%.*s\"?", STR_F(guess.best));
		else
			check_hint(c, "it is defined by: notify %.*s { command ...; }", STR_F(names[i]));
	}
}

/* --- Who is told. --- */

static bool is_address(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (strchr(",;<>()[]\\\":", s.p[i]))
			return false;
	return s.n && s.n <= 254 && s.p[0] != '-' && is_visible(s);
}

static void check_mail(struct checker *c, const struct notify_conf *n)
{
	const struct str *to = n->mail.p;
	for (size_t i = 0; i < n->mail.count; i++)
		if (!is_address(to[i]))
			check_error(c, &to[i], "\"%.*s\" can't be an address of mail", STR_F(to[i]));
	if (n->from.n && !is_address(n->from))
		check_error(c, &n->from, "\"%.*s\" can't be an address of mail", STR_F(n->from));
	if (check_files(c) && access(n->sendmail.p, X_OK) < 0)
		check_warn(c, &n->mail, "%.*s can't be run: %s", STR_F(n->sendmail), strerror(errno));
}

static void check_webhook(struct checker *c, const struct notify_conf *n)
{
	const struct notify_header *headers = n->headers.p;
	struct url url;
	const char *why;
	if (url_parse(n->url, &url, &why))
		check_error(c, &n->url, "\"%.*s\" is no URL to tell: %s", STR_F(str_head(n->url, 200)), why);
	for (size_t i = 0; i < n->headers.count; i++)
		if (!str_is_token(headers[i].name) || !str_is_printable(headers[i].value))
			check_error(c, &headers[i].name, "\"%.*s\" can't be a field of a request", STR_F(headers[i].name));
	if (check_files(c) && n->ca.n && access(n->ca.p, R_OK) < 0)
		check_error(c, &n->ca, "%.*s can't be read: %s", STR_F(n->ca), strerror(errno));
}

static void check_misplaced(struct checker *c, const struct notify_conf *n)
{
	const struct {
		const void *value;
		bool is_set;
		const char *name, *of;
	} MISPLACED[] = {
		{ &n->secret, n->secret.n && n->kind != NOTIFY_WEBHOOK, "secret", "webhook" },
		{ &n->ca, n->ca.n && n->kind != NOTIFY_WEBHOOK, "ca", "webhook" },
		{ &n->from, n->from.n && n->kind != NOTIFY_MAIL, "from", "mail" },
	};
	for (size_t i = 0; i < countof(MISPLACED); i++)
		if (MISPLACED[i].is_set)
			check_error(c, MISPLACED[i].value, "\"%s\" goes with \"%s\" only", MISPLACED[i].name, MISPLACED[i].of);
}

static void check_env(struct checker *c, const struct notify_conf *n)
{
	const struct env_line *lines = n->env_lines.p;
	for (size_t i = 0; i < n->env_lines.count; i++) {
		struct str name = lines[i].name;
		if (!name.n || str_find(name, '=') < name.n)
			check_error(c, &lines[i].name, "\"%.*s\" can't be a variable's name: env NAME VALUE;", STR_F(name));
	}
}

static void check_notify(struct checker *c, struct notify_conf *n)
{
	unsigned ways = (n->command.n > 0) + (n->url.n > 0) + (n->mail.count > 0);
	check_name(c, &n->name);
	n->kind = n->command.n ? NOTIFY_COMMAND : n->url.n ? NOTIFY_WEBHOOK : NOTIFY_MAIL;
	if (ways != 1) {
		check_error(c, &n->name, ways ? "notify %.*s has more than one way to tell" : "notify %.*s tells nobody",
		            STR_F(n->name));
		check_hint(c, "one of: command \"...\"; webhook https://...; mail ADDRESS;");
		return;
	}
	if (n->kind == NOTIFY_MAIL)
		check_mail(c, n);
	if (n->kind == NOTIFY_WEBHOOK)
		check_webhook(c, n);
	check_misplaced(c, n);
	check_env(c, n);
	if (check_files(c) && n->user.n && !getpwnam(n->user.p))
		check_error(c, &n->user, "there is no user %.*s on this machine", STR_F(n->user));
	else if (check_files(c) && n->user.n && geteuid() != 0)
		check_warn(c, &n->user, "only root can start processes as someone else");
}

static void alerts_check(struct checker *c, void *values)
{
	struct alerts_conf *a = values;
	struct notify_conf *n = a->notifies.p;
	const struct alert_conf *alerts = a->alerts.p;
	if (a->alerts.count > ALERTS_MOST)
		check_error(c, &alerts[ALERTS_MOST], "more than %d alerts", ALERTS_MOST);
	if (a->notifies.count > NOTIFIES_MOST)
		check_error(c, &n[NOTIFIES_MOST], "more than %d ways to tell", NOTIFIES_MOST);
	for (size_t i = 0; i < a->notifies.count; i++) {
		check_notify(c, &n[i]);
		if (notify_find(a, n[i].name) != &n[i])
			check_error(c, &n[i].name, "there is a notify %.*s already", STR_F(n[i].name));
	}
	check_to(c, a, &a->to);
}

/* --- Conditions. --- */

/* The word that byte `at` of the joined text is in. */
static const struct str *word_of(const struct items *words, size_t at)
{
	const struct str *p = words->p;
	size_t i = 0;
	while (i + 1 < words->count && at > p[i].n) {
		at -= p[i].n + 1;
		i++;
	}
	return &p[i];
}

/* A value that was not found among those that there are. */
struct lookup {
	struct str value;
	bool found;
	struct guess guess;
};

static struct lookup lookup_of(struct str value)
{
	return (struct lookup){ .value = value, .guess = guess_of(value) };
}

static void lookup_see(struct lookup *l, struct str there)
{
	l->found |= str_eq(l->value, there);
	guess_offer(&l->guess, there);
}

static void see_backend(void *arg, struct backend *b)
{
	lookup_see(arg, b->name);
}

static void see_app(void *arg, struct backend *b)
{
	if (b->is_app)
		lookup_see(arg, b->name);
}

/* As meters name them: a site by its first name, a route by its pattern. */
static void see_sites(struct lookup *l, const struct conf *c)
{
	for (size_t i = 0; i < c->site_count; i++)
		if (c->sites[i].name_count)
			lookup_see(l, c->sites[i].names[0]);
}

static void see_routes(struct lookup *l, const struct conf *c)
{
	for (size_t i = 0; i < c->site_count; i++)
		for (size_t k = 0; k < c->sites[i].route_count; k++)
			lookup_see(l, c->sites[i].routes[k].pattern.text);
}

static bool look_up(struct lookup *l, const struct conf *c, const char *label)
{
	if (!strcmp(label, "pool"))
		backends_each(c, see_backend, l);
	else if (!strcmp(label, "app"))
		backends_each(c, see_app, l);
	else if (!strcmp(label, "site"))
		see_sites(l, c);
	else if (!strcmp(label, "route"))
		see_routes(l, c);
	else
		return false;
	return !l->found;
}

static void check_filters(struct checker *c, const struct alert_conf *a, const struct expr_node *n)
{
	for (unsigned i = 0; i < n->filter_count; i++) {
		const struct expr_filter *f = &n->filters[i];
		struct lookup l = lookup_of(f->value);
		if (!look_up(&l, check_conf(c), f->label))
			continue;
		check_error(c, word_of(&a->when, n->at + n->n - 1), "there is no %s \"%.*s\"", f->label,
		            STR_F(str_head(f->value, 80)));
		if (l.guess.best.p)
			check_hint(c, "did you mean \"%.*s\"?", STR_F(l.guess.best));
	}
}

/* A count since the start, compared as it is: that is hardly ever meant. */
static void check_counters(struct checker *c, const struct alert_conf *a, const struct expr *e)
{
	for (unsigned i = 0; i < e->count; i++) {
		const struct expr_node *n = &e->nodes[i];
		if (!n->metric || n->metric->kind != METRIC_COUNTER || n->op == EXPR_RATE || n->op == EXPR_INCREASE ||
		    n->op == EXPR_ABSENT || n->op == EXPR_COUNT)
			continue;
		check_warn(c, word_of(&a->when, n->at), "%s counts since the start, and only grows", n->metric->name);
		check_hint(c, "rate(%s) is how many a second, increase(%s, 5m) how many in five minutes", n->metric->name,
		           n->metric->name);
	}
}

static void check_alert(struct checker *c, const struct alerts_conf *all, const struct alert_conf *a)
{
	struct expr e;
	struct expr_error error;
	check_name(c, &a->name);
	check_to(c, all, &a->to);
	if (expr_parse(check_arena(c), METRICS, alert_when(check_arena(c), &a->when), &e, &error)) {
		check_error(c, word_of(&a->when, error.at), "%s", error.text);
		if (error.hint[0])
			check_hint(c, "%s", error.hint);
		return;
	}
	for (unsigned i = 0; i < e.count; i++)
		if (e.nodes[i].metric)
			check_filters(c, a, &e.nodes[i]);
	check_counters(c, a, &e);
}

static void alerts_check_all(struct checker *c, void *values)
{
	const struct alerts_conf *all = values;
	const struct alert_conf *a = all->alerts.p;
	for (size_t i = 0; i < all->alerts.count && i < ALERTS_MOST; i++) {
		check_alert(c, all, &a[i]);
		for (size_t k = 0; k < i; k++) {
			if (!str_eq(a[k].name, a[i].name))
				continue;
			check_error(c, &a[i].name, "there is an alert %.*s already", STR_F(a[i].name));
			break;
		}
	}
}

/* --- Rows. --- */

#define ALERT_AT(member) offsetof(struct alert_conf, member)
#define NOTIFY_AT(member) offsetof(struct notify_conf, member)
#define AT(member) offsetof(struct alerts_conf, member)

enum { DAY_MS = 86400000 };

static const char *const ON_OFF[] = { "on", "off", NULL };
/* As ALERT_BUILTINS names them: a unit test compares the two. */
static const char *const BUILTIN_NAMES[] = { "no_server", "app_crashes", "app_down", "descriptors", "log_dropped",
	                                     "log_errors", "disk_fails", "cache_disk_off", "memcached_away",
	                                     "long_turn", NULL };

static const struct directive ALERT[] = {
	{ .name = "when", .required = true, .args = ARGS({ "condition", &TYPE_WORD, ALERT_AT(when), ARG_MANY }),
	  .doc = "When it begins: a comparison of what petrel measures (every metric of /metrics can be asked for), and "
	         "for how long it has to hold. METRIC, or METRIC(label=value), is the sum of its series; min(), max(), "
	         "avg() and count() take them otherwise. rate(METRIC) is how much it grows in a second, increase(METRIC, "
	         "5m) in five minutes; p50(), p90(), p99(), p99.9() of `route PATTERN`, `pool NAME`, `site NAME` or "
	         "`all` are percentiles of times over the last minute, or another time: p99(route /api/*, 5m). "
	         "change(VALUE, 1h) compares with the mean of the hour before: -50% is half of it. "
	         "absent(METRIC(label=value)) holds where there is no such thing. Comparisons are joined by and, or and "
	         "brackets; values by + - * /. `each pool` makes an alert of its own of each pool.",
	  .example = "when p99(route /api/*) > 500ms for 1m;\n"
	             "when petrel_connections(state=idle) > 10000 for 30s;\n"
	             "when rate(petrel_requests_total(class=5xx)) > 5 for 1m;\n"
	             "when rate(petrel_requests_total(class=5xx)) / rate(petrel_requests_total) > 5% for 1m;\n"
	             "when change(rate(petrel_requests_total), 1h) < -50% for 5m;\n"
	             "when petrel_pool_servers(state=ready) < 2 for 10s each pool;\n"
	             "when absent(petrel_server_up(pool=api)) for 30s;" },
	{ .name = "text", .args = ARGS({ "text", &TYPE_WORD, ALERT_AT(text) }),
	  .doc = "What it means, in messages.", .example = "text \"the API is slow: see the runbook, page 3\";" },
	{ .name = "to", .args = ARGS({ "name", &TYPE_WORD, ALERT_AT(to), ARG_MANY }),
	  .doc = "Who is told, by the names of `notify` blocks; without it, those of alerts { to }. nobody: the error "
	         "log alone." },
	{},
};

static const struct directive NOTIFY[] = {
	{ .name = "command", .args = ARGS({ "command", &TYPE_WORD, NOTIFY_AT(command) }),
	  .doc = "A command of the shell. It finds a JSON object on its standard input, and the message in a line in "
	         "$PETREL_TEXT; it has to exit with status 0.",
	  .example = "command \"/usr/local/bin/page-oncall\";" },
	{ .name = "webhook", .args = ARGS({ "url", &TYPE_WORD, NOTIFY_AT(url) }),
	  .doc = "A POST of a JSON object to this URL, https:// or http://; any answer of 2xx is right.",
	  .example = "webhook https://hooks.example.org/petrel;" },
	{ .name = "secret", .args = ARGS({ "secret", &TYPE_SECRET, NOTIFY_AT(secret), .range = { 1, 512, NULL } }),
	  .doc = "Signs the webhook's requests: X-Petrel-Signature: sha256=HEX is the HMAC-SHA256, under this secret, of "
	         "the value of X-Petrel-Timestamp, a dot, and the body.",
	  .example = "secret ${env.HOOK_SECRET};" },
	{ .name = "header", .kind = DIR_LIST, .offset = NOTIFY_AT(headers), .item_size = sizeof(struct notify_header),
	  .args = ARGS({ "name", &TYPE_WORD, offsetof(struct notify_header, name) },
	               { "value", &TYPE_WORD, offsetof(struct notify_header, value) }),
	  .doc = "A field of the webhook's requests.", .example = "header Authorization \"Bearer ${env.HOOK_TOKEN}\";" },
	{ .name = "ca", .args = ARGS({ "file", &TYPE_PATH, NOTIFY_AT(ca) }),
	  .doc = "Certificates (PEM) that the webhook's server is checked against, in place of the system's." },
	{ .name = "mail", .args = ARGS({ "address", &TYPE_WORD, NOTIFY_AT(mail), ARG_MANY }),
	  .doc = "A mail to these addresses, by sendmail.", .example = "mail oncall@example.org;" },
	{ .name = "from", .args = ARGS({ "address", &TYPE_WORD, NOTIFY_AT(from) }),
	  .doc = "The mail's sender; without it, sendmail's choice." },
	{ .name = "sendmail", .args = ARGS({ "path", &TYPE_PATH, NOTIFY_AT(sendmail), .preset = "/usr/sbin/sendmail" }),
	  .doc = "The program that takes mail: it is run with -t -i." },
	{ .name = "user", .args = ARGS({ "name", &TYPE_WORD, NOTIFY_AT(user) }),
	  .doc = "The user that it runs as, when petrel is started as root; without it, the user that serves, or nobody." },
	{ .name = "env", .kind = DIR_LIST, .offset = NOTIFY_AT(env_lines), .item_size = sizeof(struct env_line),
	  .args = ARGS({ "name", &TYPE_WORD, offsetof(struct env_line, name) },
	               { "value", &TYPE_WORD, offsetof(struct env_line, value) }),
	  .doc = "A variable of its environment, which has little else: PETREL_TEXT, PATH, HOME, USER, LANG.",
	  .example = "env SMS_KEY ${env.SMS_KEY};" },
	{ .name = "timeout", .args = ARGS({ "time", &TYPE_DURATION, NOTIFY_AT(timeout_ms), .range = { 1, DAY_MS, NULL },
	                                    .preset = "10s" }),
	  .doc = "What takes longer is ended, and counts as failed." },
	{ .name = "limit",
	  .args = ARGS({ "messages", &TYPE_NUMBER, NOTIFY_AT(limit), .range = { .max = 100000 }, .preset = "30" }),
	  .doc = "How many messages an hour at most; what happens past that comes together in a later one. 0: no bound." },
	{ .name = "retry",
	  .args = ARGS({ "times", &TYPE_NUMBER, NOTIFY_AT(retries), .range = { .max = 20 }, .preset = "5" },
	               { "after", &TYPE_DURATION, NOTIFY_AT(retry_ms), ARG_KEYWORD, { 1, DAY_MS, NULL }, "5s" }),
	  .doc = "How often a message is sent once more that could not be delivered, and after what time; each wait is "
	         "twice as long as the one before." },
	{},
};

static const struct directive GROUP[] = {
	{ .name = "builtin",
	  .args = ARGS({ "choice", &TYPE_CHOICE, AT(builtin_off), .range = { .words = ON_OFF }, .preset = "on" },
	               { "name", &TYPE_CHOICE, AT(builtin_names), ARG_ANY, { .words = BUILTIN_NAMES } }),
	  .doc = "Switches the alerts off that petrel brings along: all of them, or those that are named. An `alert` of "
	         "the same name takes the place of one.",
	  .example = "builtin off;\nbuiltin off long_turn app_crashes;" },
	{ .name = "to", .args = ARGS({ "name", &TYPE_WORD, AT(to), ARG_MANY }),
	  .doc = "Who is told of alerts that do not say so themselves; without it, all `notify` blocks." },
	{ .name = "group",
	  .args = ARGS({ "time", &TYPE_DURATION, AT(group_ms), .range = { .max = 600000 }, .preset = "3s" }),
	  .doc = "What begins and ends within this time comes in one message." },
	{ .name = "clear",
	  .args = ARGS({ "time", &TYPE_DURATION, AT(clear_ms), .range = { .max = DAY_MS }, .preset = "10s" }),
	  .doc = "How long a condition has to be gone before its alert ends." },
	{},
};

static const struct directive DIRECTIVES[] = {
	{ .name = "alert", .kind = DIR_LIST, .scopes = SCOPE_MAIN, .offset = AT(alerts),
	  .item_size = sizeof(struct alert_conf), .args = ARGS({ "name", &TYPE_WORD, ALERT_AT(name) }), .inner = ALERT,
	  .doc = "A condition that somebody wants to know of: once when it begins and once when it ends. It is looked at "
	         "each second; its state is shown by `petrel ctl alerts`, and stays over a reload that does not change "
	         "it.",
	  .example = "alert slow   { when p99(route /api/*) > 500ms for 1m; to sms; }\n"
	             "alert quiet  { when change(rate(petrel_requests_total), 1h) < -50% for 5m; text \"reachable?\"; }" },
	{ .name = "notify", .fixed = FIXED_RELOAD, .kind = DIR_LIST, .scopes = SCOPE_MAIN, .offset = AT(notifies),
	  .item_size = sizeof(struct notify_conf), .args = ARGS({ "name", &TYPE_WORD, NOTIFY_AT(name) }), .inner = NOTIFY,
	  .doc = "A way to tell somebody of alerts: a command, a webhook, or mail. Each message runs as a process of its "
	         "own that has no rights of petrel's.",
	  .example = "notify sms  { command /usr/local/bin/page-oncall; }\n"
	             "notify chat { webhook https://hooks.example.org/petrel; secret ${env.HOOK_SECRET}; }\n"
	             "notify desk { mail oncall@example.org; from petrel@example.org; limit 10; }" },
	{ .name = "alerts", .kind = DIR_GROUP, .scopes = SCOPE_MAIN, .inner = GROUP,
	  .doc = "What holds for all alerts.", .example = "alerts { to sms; builtin off long_turn; clear 1m; }" },
	{},
};

const struct module ALERTS = {
	.name = "alerts",
	.doc = "Messages when something is wrong: rules over all that petrel measures, those that it brings along, and "
	       "the ways to tell somebody. How conditions are written, and what the built-in rules are: "
	       "docs/why/alerts.md.",
	.size = sizeof(struct alerts_conf),
	.directives = DIRECTIVES,
	.check = alerts_check,
	.check_all = alerts_check_all,
};
