/* petrel ctl: from its words to a request on the admin socket, and from the answer to text.  One thread; waits. */
#include "main/cli_ctl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "http/query.h"
#include "http/target.h"
#include "main/ask.h"
#include "main/cli_reload.h"
#include "main/cli_trace.h"
#include "main/show.h"
#include "main/table.h"

enum { CTL_CONFIG, CTL_SOCKET, CTL_JSON, CTL_KEEP, CTL_AS_CONFIG, CTL_TOKEN, CTL_METHOD, CTL_CLIENT, CTL_HEADER,
       CTL_ROUTE, CTL_HOST, CTL_PATH, CTL_STATUS, CTL_SLOW, CTL_RATE, CTL_SECRETS, CTL_SAVE, CTL_TAG, CTL_MATCH, CTL_ALL,
       CTL_SOFT, CTL_CACHE };
enum { FAILED = 1, USAGE = 2 };

const struct option CTL_OPTIONS[] = {
	[CTL_CONFIG] = { "config", 'c', "FILE", "the configuration, which names the admin socket" },
	[CTL_SOCKET] = { "socket", 's', "ADDRESS", "the admin socket: a path, or ADDR:PORT" },
	[CTL_JSON] = { "json", 0, NULL, "print the answer as it came" },
	[CTL_KEEP] = { "keep", 0, NULL, "the change outlives reloads and restarts" },
	[CTL_AS_CONFIG] = { "as-config", 0, NULL, "with changes: print them as configuration, to be pasted" },
	[CTL_TOKEN] = { "token-file", 0, "FILE", "holds the token for an address over TCP; else $PETREL_TOKEN does" },
	[CTL_METHOD] = { "method", 0, "NAME", "of the request that is explained" },
	[CTL_CLIENT] = { "client", 0, "ADDRESS", "who asks, or whose requests" },
	[CTL_HEADER] = { "header", 0, "FIELD", "a field of the request that is explained: \"Name: value\"" },
	[CTL_ROUTE] = { "route", 0, "PATTERN", "trace: requests of this route" },
	[CTL_HOST] = { "host", 0, "NAME", "trace: for this host" },
	[CTL_PATH] = { "path", 0, "GLOB", "trace: whose path is like this" },
	[CTL_STATUS] = { "status", 0, "STATUS", "trace: answered so: 404, 5xx" },
	[CTL_SLOW] = { "slow", 0, "MS", "trace: that took so many milliseconds" },
	[CTL_RATE] = { "max-rate", 0, "N", "trace: at most so many a second; 20" },
	[CTL_SECRETS] = { "secrets", 0, NULL, "trace: with cookies, passwords and bodies of requests" },
	[CTL_SAVE] = { "save", 0, "FILE", "trace: into this file, too, as HAR" },
	[CTL_TAG] = { "tag", 0, "TAG", "purge: what bears this tag" },
	[CTL_MATCH] = { "match", 0, "GLOB", "purge: what has a URL like this: 'example.org/news/*', '*.css'" },
	[CTL_ALL] = { "all", 0, NULL, "purge: everything" },
	[CTL_SOFT] = { "soft", 0, NULL, "purge: it is stale, not gone" },
	[CTL_CACHE] = { "cache", 0, "NAME", "purge: of this cache; else of all" },
	{},
};

/* --- What can be asked for. --- */

enum {
	ACTION_STATUS, ACTION_CONNECTIONS, ACTION_POOLS, ACTION_POOL, ACTION_ADD, ACTION_REMOVE, ACTION_DRAIN, ACTION_READY,
	ACTION_DOWN, ACTION_WEIGHT, ACTION_APPS, ACTION_APP, ACTION_RESTART, ACTION_SET, ACTION_UNSET, ACTION_SETTINGS,
	ACTION_SHED_ON, ACTION_SHED_OFF, ACTION_HOT_CLEAR, ACTION_CHANGES, ACTION_RELOAD, ACTION_REOPEN,
	ACTION_ALERTS, ACTION_SILENCE, ACTION_SILENCE_WHY, ACTION_UNSILENCE, ACTION_TEST_ALL, ACTION_TEST,
	ACTION_EXPLAIN, ACTION_TRACE, ACTION_CACHES, ACTION_PURGE, ACTION_PURGE_URL, ACTION_CACHE, ACTION_MEMCACHED,
};

/* Words in capitals are given by whoever asks; what stands in brackets may be left out; ... is all words that follow. */
const struct action CTL_ACTIONS[] = {
	[ACTION_STATUS] = { "status", "the server in a few lines" },
	[ACTION_CONNECTIONS] = { "connections", "its connections, requests and bytes" },
	[ACTION_POOLS] = { "pools", "all pools" },
	[ACTION_POOL] = { "pool NAME", "one pool and its servers" },
	[ACTION_ADD] = { "pool NAME add SERVER [weight N] [connections N] [backup]", "one server more" },
	[ACTION_REMOVE] = { "pool NAME remove SERVER", "one less; what is under way ends" },
	[ACTION_DRAIN] = { "server POOL SERVER drain", "no new clients" },
	[ACTION_READY] = { "server POOL SERVER ready", "as if nothing had been" },
	[ACTION_DOWN] = { "server POOL SERVER down", "no new requests at all" },
	[ACTION_WEIGHT] = { "server POOL SERVER weight N", "its share" },
	[ACTION_APPS] = { "apps", "all applications" },
	[ACTION_APP] = { "app NAME", "one application and its processes" },
	[ACTION_RESTART] = { "app NAME restart", "a new process for each, one after the other" },
	[ACTION_SET] = { "set ...", "a directive, after the words of its block: set pool api queue 2000" },
	[ACTION_UNSET] = { "unset ...", "what the configuration says holds again: unset pool api queue" },
	[ACTION_SETTINGS] = { "settings", "all that is set so" },
	[ACTION_SHED_ON] = { "shed on", "refuse every request, as if for load" },
	[ACTION_SHED_OFF] = { "shed off", "serve again" },
	[ACTION_HOT_CLEAR] = { "hot clear", "empty the hot set" },
	[ACTION_CHANGES] = { "changes", "what was changed over this socket, by whom" },
	[ACTION_RELOAD] = { "reload", "read the configuration again" },
	[ACTION_REOPEN] = { "log reopen", "open the log files anew" },
	[ACTION_ALERTS] = { "alerts", "all alerts, and what became of messages about them" },
	[ACTION_SILENCE] = { "alerts silence NAME TIME", "nobody is told of it for so long: 30m, 2h, 1d" },
	[ACTION_SILENCE_WHY] = { "alerts silence NAME TIME REASON", "the same, with a reason for others" },
	[ACTION_UNSILENCE] = { "alerts unsilence NAME", "whoever is to be told is told again" },
	[ACTION_TEST_ALL] = { "alerts test", "send a message to try, by each way to tell" },
	[ACTION_TEST] = { "alerts test NOTIFY", "by one of them" },
	[ACTION_EXPLAIN] = { "explain URL", "which way a request takes, and why" },
	[ACTION_TRACE] = { "trace", "requests as they come, and all that is said to servers about them" },
	[ACTION_CACHES] = { "cache", "all caches: sizes, hits, tiers, fills" },
	[ACTION_PURGE] = { "cache purge", "what --tag, --match or --all says" },
	[ACTION_PURGE_URL] = { "cache purge URL", "what is cached of a URL" },
	[ACTION_CACHE] = { "cache NAME", "one cache" },
	[ACTION_MEMCACHED] = { "memcached", "all memcached servers" },
	{},
};

/* What is asked of the server.  %1 and %2 in the path and the body are the first and the second word in capitals, %r all
 * that follow, %o the options in brackets, and %p the parameters that were given, as members of an object. */
static const struct request {
	const char *method, *path, *body;
	void (*show)(const json_t *json, bool colour, struct buf *out);   /* NULL: as `petrel reload` does */
	bool keeps;              /* it can be asked for with --keep */
} REQUESTS[] = {
	[ACTION_STATUS] = { "GET", "/status.json", NULL, show_status },
	[ACTION_CONNECTIONS] = { "GET", "/status.json", NULL, show_connections },
	[ACTION_POOLS] = { "GET", "/pools", NULL, show_pools },
	[ACTION_POOL] = { "GET", "/pools/%1", NULL, show_pool },
	[ACTION_ADD] = { "POST", "/pools/%1/servers", "{\"server\":\"%2\"%o}", show_did, true },
	[ACTION_REMOVE] = { "DELETE", "/pools/%1/servers/%2", NULL, show_did, true },
	[ACTION_DRAIN] = { "PATCH", "/pools/%1/servers/%2", "{\"state\":\"drain\"}", show_did, true },
	[ACTION_READY] = { "PATCH", "/pools/%1/servers/%2", "{\"state\":\"ready\"}", show_did, true },
	[ACTION_DOWN] = { "PATCH", "/pools/%1/servers/%2", "{\"state\":\"down\"}", show_did, true },
	[ACTION_WEIGHT] = { "PATCH", "/pools/%1/servers/%2", "{\"weight\":%3}", show_did, true },
	[ACTION_APPS] = { "GET", "/apps", NULL, show_apps },
	[ACTION_APP] = { "GET", "/apps/%1", NULL, show_app },
	[ACTION_RESTART] = { "POST", "/apps/%1/restart", NULL, show_did },
	[ACTION_SET] = { "POST", "/settings", "{\"set\":\"%r\"}", show_did, true },
	[ACTION_UNSET] = { "POST", "/settings", "{\"unset\":\"%r\"}", show_did, true },
	[ACTION_SETTINGS] = { "GET", "/settings", NULL, show_settings },
	[ACTION_SHED_ON] = { "POST", "/settings", "{\"set\":\"shed all on\"}", show_did, true },
	[ACTION_SHED_OFF] = { "POST", "/settings", "{\"unset\":\"shed all\"}", show_did, true },
	[ACTION_HOT_CLEAR] = { "POST", "/hot/clear", NULL, show_did },
	[ACTION_CHANGES] = { "GET", "/changes", NULL, show_changes },
	[ACTION_RELOAD] = { "POST", "/reload", NULL, NULL },
	[ACTION_REOPEN] = { "POST", "/log/reopen", NULL, show_did },
	[ACTION_ALERTS] = { "GET", "/alerts", NULL, show_alerts },
	[ACTION_SILENCE] = { "POST", "/alerts/%1/silence", "{\"for\":\"%2\"}", show_did },
	[ACTION_SILENCE_WHY] = { "POST", "/alerts/%1/silence", "{\"for\":\"%2\",\"reason\":\"%3\"}", show_did },
	[ACTION_UNSILENCE] = { "DELETE", "/alerts/%1/silence", NULL, show_did },
	[ACTION_TEST_ALL] = { "POST", "/alerts/test", "{}", show_tests },
	[ACTION_TEST] = { "POST", "/alerts/test", "{\"notify\":\"%1\"}", show_tests },
	[ACTION_EXPLAIN] = { "GET", "/explain?url=%1", NULL, show_explain },
	[ACTION_TRACE] = { "GET", "/trace", NULL, show_trace },
	[ACTION_CACHES] = { "GET", "/caches", NULL, show_caches },
	[ACTION_PURGE] = { "POST", "/caches/purge", "{%p}", show_did },
	[ACTION_PURGE_URL] = { "POST", "/caches/purge", "{\"url\":\"%1\"%p}", show_did },
	[ACTION_CACHE] = { "GET", "/caches/%1", NULL, show_cache },
	[ACTION_MEMCACHED] = { "GET", "/memcached", NULL, show_memcached },
};

/* Options that say more about an action: parameters of the query, by their own names, or members of the body where there is
 * one; but for CTL_SAVE. */
static const struct {
	int option, action;
} PARAMETERS[] = {
	{ CTL_METHOD, ACTION_EXPLAIN },
	{ CTL_CLIENT, ACTION_EXPLAIN },
	{ CTL_HEADER, ACTION_EXPLAIN },
	{ CTL_CLIENT, ACTION_TRACE },
	{ CTL_ROUTE, ACTION_TRACE },
	{ CTL_HOST, ACTION_TRACE },
	{ CTL_PATH, ACTION_TRACE },
	{ CTL_STATUS, ACTION_TRACE },
	{ CTL_SLOW, ACTION_TRACE },
	{ CTL_RATE, ACTION_TRACE },
	{ CTL_SECRETS, ACTION_TRACE },
	{ CTL_SAVE, ACTION_TRACE },
	{ CTL_TAG, ACTION_PURGE },
	{ CTL_MATCH, ACTION_PURGE },
	{ CTL_ALL, ACTION_PURGE },
	{ CTL_SOFT, ACTION_PURGE },
	{ CTL_CACHE, ACTION_PURGE },
	{ CTL_SOFT, ACTION_PURGE_URL },
	{ CTL_CACHE, ACTION_PURGE_URL },
};

/* --- Its words. --- */

/* What was said, taken apart. */
struct said {
	struct str given[3];     /* %1 to %3 */
	struct buf options;      /* %o: ,"weight":2 */
	struct buf rest;         /* %r: words as the configuration has them */
	struct buf members;      /* %p: "tag":"news","soft":true */
	const char *wrong;       /* the word that could not be; NULL: one is missing */
};

static void said_fini(struct said *said)
{
	buf_fini(&said->options);
	buf_fini(&said->rest);
	buf_fini(&said->members);
}

static bool is_number(struct str s)
{
	uint64_t n;
	return num_parse(s, UINT32_MAX, &n) == 0;
}

static bool is_upper(struct str s)
{
	return s.n && s.p[0] >= 'A' && s.p[0] <= 'Z';
}

/* "[weight N] [connections N] [backup]" against the rest of the words, in any order: false where one fits nowhere. */
static bool take_options(struct str rows, char **words, int count, struct said *said)
{
	for (int i = 0; i < count; i++) {
		struct str rest = rows, word = str_of(words[i]);
		bool taken = false;
		said->wrong = words[i];
		while (rest.n && !taken) {
			str_cut(&rest, '[');
			struct str row = str_cut(&rest, ']'), name = str_cut(&row, ' ');
			if (!name.n || !str_eq(word, name))
				continue;
			taken = !row.n || (i + 1 < count && is_number(str_of(words[i + 1])));
			if (taken)
				buf_addf(&said->options, ",\"%.*s\":%s", STR_F(name), row.n ? words[++i] : "true");
		}
		if (!taken)
			return false;
	}
	said->wrong = NULL;
	return true;
}

/* "...": each as one word of the configuration, whatever the shell's quotes held. */
static void take_rest(char **words, int count, struct said *said)
{
	for (int i = 0; i < count; i++) {
		struct str word = str_of(words[i]);
		bool mark = str_eq(word, STR("=")) || str_eq(word, STR("~"));
		if (i)
			buf_add_char(&said->rest, ' ');
		if (mark)
			buf_add(&said->rest, word);
		else
			type_print_word(&said->rest, word);
	}
}

/* How many words of the pattern the given ones go along with; all of it: *fits. */
static int match(struct str pattern, char **words, int count, struct said *said, bool *fits)
{
	int at = 0, given = 0;
	*said = (struct said){};
	*fits = false;
	while (pattern.n && pattern.p[0] != '[') {
		struct str word = str_cut(&pattern, ' ');
		if (at == count)
			return at;
		if (str_eq(word, STR("..."))) {
			take_rest(words + at, count - at, said);
			*fits = true;
			return count;
		}
		said->wrong = words[at];
		if (is_upper(word) ? str_eq(word, STR("N")) && !is_number(str_of(words[at])) : !str_eq(word, str_of(words[at])))
			return at;
		if (is_upper(word))
			said->given[given++] = str_of(words[at]);
		at++;
		said->wrong = NULL;
	}
	*fits = take_options(pattern, words + at, count - at, said);
	return at;
}

/* The action that is meant: its index, or -1 after saying how the nearest ones are written. */
static int action_of(char **words, int count, struct said *said)
{
	int most = 0;
	const char *wrong = NULL;
	bool fits;
	for (int i = 0; CTL_ACTIONS[i].words; i++) {
		int along = match(str_of(CTL_ACTIONS[i].words), words, count, said, &fits);
		if (fits)
			return i;
		said_fini(said);
		if (along >= most) {
			most = along;
			wrong = said->wrong;
		}
	}
	if (!count)
		fputs("petrel ctl: what is to be asked?", stderr);
	else if (!most)
		fprintf(stderr, "petrel ctl: there is no \"%s\"", words[0]);
	else if (wrong)
		fprintf(stderr, "petrel ctl: \"%s\" can't stand there", wrong);
	else
		fputs("petrel ctl: a word is missing", stderr);
	return -1;
}

/* The first word of an action that is near to what was written. */
static struct str nearest(const char *word)
{
	struct str best = {};
	unsigned least = strlen(word) > 3 ? 3 : 2;
	for (const struct action *a = CTL_ACTIONS; a->words; a++) {
		struct str first = str_head(str_of(a->words), str_find(str_of(a->words), ' '));
		unsigned distance = str_distance(str_of(word), first);
		if (distance < least && distance < first.n) {
			best = first;
			least = distance;
		}
	}
	return best;
}

/* Those that begin with the same word, or all. */
static int say_usage(char **words, int count)
{
	struct str first = count ? str_of(words[0]) : STR("");
	bool known = false;
	for (const struct action *a = CTL_ACTIONS; a->words; a++)
		known |= first.n && str_eq(first, str_head(str_of(a->words), str_find(str_of(a->words), ' ')));
	struct str near = count && !known ? nearest(words[0]) : (struct str){};
	if (near.n)
		fprintf(stderr, "; did you mean \"%.*s\"?", STR_F(near));
	fputc('\n', stderr);
	for (const struct action *a = CTL_ACTIONS; a->words; a++)
		if (!known || str_eq(first, str_head(str_of(a->words), str_find(str_of(a->words), ' '))))
			fprintf(stderr, "  petrel ctl %s\n", a->words);
	return USAGE;
}

/* --- Asking. --- */

static void add_members(struct buf *out, const struct said *said)
{
	if (said->members.n && out->p[out->n - 1] != '{')
		buf_add_char(out, ',');
	buf_add(out, buf_str(&said->members));
}

/* The template with what was said in its places; in JSON, or in a path. */
static void fill(const char *template, const struct said *said, bool json, struct buf *out)
{
	struct arena arena;
	bool query = false;
	arena_init(&arena, NULL, 0);
	for (const char *p = template; *p; p++) {
		struct str given = *p == '%' && p[1] >= '1' && p[1] <= '3' ? said->given[p[1] - '1'] : (struct str){};
		query |= *p == '?' && !json;
		if (*p != '%')
			buf_add_char(out, *p);
		else if (*++p == 'o')
			buf_add(out, buf_str(&said->options));
		else if (*p == 'r')
			buf_add_json(out, buf_str(&said->rest));
		else if (*p == 'p')
			add_members(out, said);
		else if (json)
			buf_add_json(out, given);
		else if (query)
			query_encode(given, out);
		else
			buf_add(out, target_encode(&arena, given));
	}
	arena_fini(&arena);
}

static int say_error(const struct answer *a, const json_t *json)
{
	const char *error = json_string_value(json_object_get(json, "error"));
	if (error)
		fprintf(stderr, "petrel ctl: %s\n", error);
	else
		fprintf(stderr, "petrel ctl: the server answered something else than expected: %.*s\n",
		        (int)str_find(buf_str(&a->raw), '\r'), a->raw.n ? a->raw.p : "");
	return FAILED;
}

static int tell(const struct request *r, const struct answer *a, bool raw)
{
	bool fine = a->status == 200;
	if (raw && a->body.n) {
		fwrite(a->body.p, 1, a->body.n, stdout);
		return fine ? 0 : FAILED;
	}
	if (!r->show)
		return reload_tell(a);
	json_t *json = json_loadb(a->body.p, a->body.n, 0, NULL);
	if (fine && json) {
		struct buf out = {};
		r->show(json, colour_wanted(), &out);
		fwrite(out.p, 1, out.n, stdout);
		buf_fini(&out);
	}
	int status = fine && json ? 0 : say_error(a, json);
	json_decref(json);
	return status;
}

/* Only what changes a server can be kept. */
static int check_options(const struct options *o, int action)
{
	if (o->values[CTL_KEEP] && !REQUESTS[action].keeps)
		fprintf(stderr, "petrel ctl: --keep goes with changes of servers and settings; \"%s\" is none\n",
		        CTL_ACTIONS[action].words);
	else if (o->values[CTL_AS_CONFIG] && action != ACTION_CHANGES)
		fputs("petrel ctl: --as-config goes with \"changes\"\n", stderr);
	else
		return 0;
	return USAGE;
}

/* Whether the option means something to this action. */
static bool goes_with(int option, int action)
{
	bool any = false;
	for (size_t i = 0; i < countof(PARAMETERS); i++) {
		if (PARAMETERS[i].option == option && PARAMETERS[i].action == action)
			return true;
		any |= PARAMETERS[i].option == option;
	}
	return !any;
}

static void add_member(struct buf *members, const char *name, const char *value)
{
	if (members->n)
		buf_add_char(members, ',');
	if (value)
		buf_add_member(members, name, str_of(value));
	else
		buf_addf(members, "\"%s\":true", name);
}

/* Adds those that were given to the query, or to the body's members. */
static int add_parameters(const struct options *o, int action, struct buf *path, struct buf *members)
{
	for (int i = 0; CTL_OPTIONS[i].name; i++) {
		if (o->values[i] && !goes_with(i, action)) {
			fprintf(stderr, "petrel ctl: --%s does not go with \"%s\"\n", CTL_OPTIONS[i].name, CTL_ACTIONS[action].words);
			return USAGE;
		}
	}
	for (size_t i = 0; i < countof(PARAMETERS); i++) {
		const char *value = o->values[PARAMETERS[i].option];
		bool is_switch = !CTL_OPTIONS[PARAMETERS[i].option].value;
		if (PARAMETERS[i].action != action || !value || PARAMETERS[i].option == CTL_SAVE)
			continue;
		if (REQUESTS[action].body) {
			add_member(members, CTL_OPTIONS[PARAMETERS[i].option].name, is_switch ? NULL : value);
			continue;
		}
		buf_addf(path, "%c%s=", str_find(buf_str(path), '?') < path->n ? '&' : '?', CTL_OPTIONS[PARAMETERS[i].option].name);
		query_encode(is_switch ? STR("true") : str_of(value), path);
	}
	return 0;
}

static int say_no_answer(const struct addr *admin, int err)
{
	struct buf where = {};
	addr_print(&where, admin);
	fprintf(stderr, "petrel ctl: no answer at %.*s: %s\n", STR_F(buf_str(&where)),
	        err == -ENOENT || err == -ECONNREFUSED ? "no server runs there" : strerror(-err));
	buf_fini(&where);
	return FAILED;
}

int cli_ctl(const struct options *o)
{
	struct said said;
	struct admin_at admin;
	struct admin_told told = { "ctl", o->values[CTL_SOCKET], o->values[CTL_CONFIG], o->values[CTL_TOKEN] };
	struct answer answer = {};
	struct buf path = {}, body = {};
	int action = action_of(o->words, o->word_count, &said);
	if (action < 0)
		return say_usage(o->words, o->word_count);
	const struct request *r = &REQUESTS[action];
	bool raw = o->values[CTL_JSON] || o->values[CTL_AS_CONFIG];
	int status = check_options(o, action), err = 0;
	if (!status)
		status = admin_at_find(&told, &admin);
	fill(r->path, &said, false, &path);
	if (o->values[CTL_AS_CONFIG])
		buf_add(&path, STR(".conf"));
	if (o->values[CTL_KEEP])
		buf_add(&path, STR("?keep"));
	if (!status)
		status = add_parameters(o, action, &path, &said.members);
	if (r->body)
		fill(r->body, &said, true, &body);
	if (!status && action == ACTION_TRACE)
		err = cli_trace(&admin, buf_str(&path), o->values[CTL_JSON], o->values[CTL_SAVE], &answer);
	else if (!status)
		err = ask(&admin, r->method, buf_str(&path), buf_str(&body), &answer);
	if (err)
		status = say_no_answer(&admin.addr, err);
	else if (!status && !(action == ACTION_TRACE && answer.status == 200))
		status = tell(r, &answer, raw);
	answer_fini(&answer);
	said_fini(&said);
	buf_fini(&path);
	buf_fini(&body);
	return status;
}
