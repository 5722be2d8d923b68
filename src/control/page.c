/* status: the status page, its event stream, and its buttons.  Runs on the request's loop; what it shows comes from the
 * control thread, and what its buttons do is an errand of the admin socket. */
#include "control/page.h"

#include <jansson.h>
#include <sys/random.h>

#include "base/mem.h"
#include "base/must.h"
#include "http/feed_body.h"
#include "http/query.h"
#include "http/target.h"

enum {
	FORM_MOST_B = 4096,
	FEED_MOST_B = 1 << 20,       /* of what a viewer has not taken: several whole pages */
	NONCE_B = 16,
};

struct status {
	bool buttons;
};

/* web/status.css and web/status.js, with a NUL behind each: control/page_assets.S. */
extern const char page_style[], page_script[];

/* --- What is asked for. --- */

enum want { WANT_PAGE, WANT_EVENTS, WANT_JSON, WANT_METRICS, WANT_CHANGE };

static bool asks(const struct req *r, struct str name, const char *ending)
{
	struct buf value = {};
	bool found = query_get(r->ask.query, name, &value) || str_ends(r->ask.path, str_of(ending));
	buf_fini(&value);
	return found;
}

static enum want want_of(const struct req *r)
{
	if (r->ask.method == METHOD_POST)
		return WANT_CHANGE;
	if (asks(r, STR("events"), "/events") || list_has(ask_field(&r->ask, FIELD_ACCEPT), STR("text/event-stream")))
		return WANT_EVENTS;
	if (asks(r, STR("json"), "/status.json") || req_prefers_json(r))
		return WANT_JSON;
	return asks(r, STR("metrics"), "/metrics") ? WANT_METRICS : WANT_PAGE;
}

static const struct errand *admin_errand(const char *path)
{
	struct str stars[ADMIN_STARS];
	struct buf methods = {};
	const struct errand *errand = errand_find(METHOD_GET, str_of(path), stars, &methods);
	buf_fini(&methods);
	return errand;
}

static const struct errand *errand_of(enum want want, const struct status *v)
{
	switch (want) {
	case WANT_EVENTS: return &PAGE_WATCH;
	case WANT_JSON: return admin_errand("/status.json");
	case WANT_METRICS: return admin_errand("/metrics");
	default: return &PAGE_SECTIONS[v->buttons];
	}
}

/* --- The page. --- */

/* Nothing is loaded from anywhere, nothing runs but what is written here, and nobody shows the page in a frame. */
static void add_policy(struct req *r, const char *nonce)
{
	answer_set(r, STR("Content-Security-Policy"),
	           arena_strf(&r->arena, "default-src 'none'; style-src 'nonce-%s'; script-src 'nonce-%s'; "
	                      "connect-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; "
	                      "frame-ancestors 'none'", nonce, nonce));
	answer_set(r, STR("Cache-Control"), STR("no-store"));
	answer_set(r, STR("X-Content-Type-Options"), STR("nosniff"));
	/* Else a browser would not say from where a form comes. */
	answer_set(r, STR("Referrer-Policy"), STR("same-origin"));
}

static void nonce_make(char nonce[2 * NONCE_B + 1])
{
	unsigned char bytes[NONCE_B];
	must(getrandom(bytes, sizeof bytes, 0) == sizeof bytes);
	for (size_t i = 0; i < sizeof bytes; i++) {
		nonce[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
		nonce[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
	}
	nonce[2 * NONCE_B] = '\0';
}

/* live: what stands in it changes. */
static void answer_page(struct req *r, unsigned status, struct str main, bool live)
{
	char nonce[2 * NONCE_B + 1];
	struct buf page = {};
	nonce_make(nonce);
	buf_addf(&page,
	         "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
	         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
	         "<meta name=\"color-scheme\" content=\"light dark\"><title>petrel</title>"
	         "<link rel=\"icon\" href=\"data:,\">\n"
	         "%s<style nonce=\"%s\">%s</style></head>\n<body><main>\n",
	         live ? "<noscript><meta http-equiv=\"refresh\" content=\"5\"></noscript>" : "", nonce, page_style);
	buf_add(&page, main);
	buf_add(&page, STR("</main>\n"));
	if (live)
		buf_addf(&page, "<footer><p id=\"live\" role=\"status\"></p><a href=\"?json\">JSON</a> "
		         "<a href=\"?metrics\">Metrics</a></footer>\n<script nonce=\"%s\">%s</script>", nonce, page_script);
	buf_add(&page, STR("</body></html>\n"));
	answer_bytes(r, status, STR("text/html; charset=utf-8"), arena_str(&r->arena, buf_str(&page)));
	add_policy(r, nonce);
	buf_fini(&page);
}

/* --- Buttons. --- */

/* What a button asks of the admin socket's errands. */
static const struct button {
	const char *word;
	enum method method;
	const char *path, *star, *rest, *star2;   /* stars: fields of the form */
	const char *body;
} BUTTONS[] = {
	{ "drain", METHOD_PATCH, "/pools/", "pool", "/servers/", "server", "{\"state\":\"drain\"}" },
	{ "ready", METHOD_PATCH, "/pools/", "pool", "/servers/", "server", "{\"state\":\"ready\"}" },
	{ "down", METHOD_PATCH, "/pools/", "pool", "/servers/", "server", "{\"state\":\"down\"}" },
	{ "restart", METHOD_POST, "/apps/", "app", "/restart", NULL, NULL },
};

/* A form that is being read; r->state until it is whole. */
struct form {
	struct buf body;
};

static void form_close(struct req *r, void *state)
{
	struct form *f = state;
	(void)r;
	buf_fini(&f->body);
}

/* Whether the form stood on a page of this very server: what else would send it is somebody's page elsewhere, in the
 * browser of one who may press our buttons.  Each browser says one of the two. */
static bool is_same_origin(const struct req *r)
{
	struct str site = {}, origin = {};
	for (size_t i = 0; i < r->ask.field_count; i++) {
		const struct field *f = &r->ask.fields[i];
		if (str_eq_nocase(f->name, STR("Sec-Fetch-Site")))
			site = f->value;
		if (str_eq_nocase(f->name, STR("Origin")))
			origin = f->value;
	}
	if (site.p && !str_eq(site, STR("same-origin")))
		return false;
	if (!origin.p)
		return site.p;
	struct str host = ask_field(&r->ask, FIELD_HOST);
	bool http = str_starts(origin, STR("http://")), https = str_starts(origin, STR("https://"));
	return host.n && (http || https) && str_eq_nocase(str_from(origin, https ? 8 : 7), host);
}

static const struct button *button_of(const struct form *f)
{
	const struct button *found = NULL;
	struct buf word = {};
	query_get(buf_str(&f->body), STR("do"), &word);
	for (size_t i = 0; i < countof(BUTTONS); i++)
		if (str_eq(buf_str(&word), str_of(BUTTONS[i].word)))
			found = &BUTTONS[i];
	buf_fini(&word);
	return found;
}

static enum go answer_message(struct req *r, unsigned status, struct str text)
{
	struct buf main = {};
	buf_addf(&main, "<section id=\"message\"><h1>That did not work</h1><p>");
	buf_add_html(&main, text);
	buf_add(&main, STR("</p><p><a href=\"\">Back to the page</a></p></section>\n"));
	answer_page(r, status, buf_str(&main), false);
	buf_fini(&main);
	return GO_ANSWER;
}

/* The form is whole: off to the control thread. */
static enum go press(struct req *r, struct form *f)
{
	const struct button *b = button_of(f);
	struct str fields = buf_str(&f->body), stars[ADMIN_STARS] = {};
	struct buf path = {}, methods = {};
	if (!b)
		return answer_message(r, 422, STR("There is no such button."));
	buf_add(&path, str_of(b->path));
	query_get(fields, str_of(b->star), &path);
	buf_add(&path, str_of(b->rest));
	if (b->star2)
		query_get(fields, str_of(b->star2), &path);
	const struct errand *errand = errand_find(b->method, buf_str(&path), stars, &methods);
	struct admin_call *call = errand ? admin_call_new(r, errand, buf_str(&path), stars) : NULL;
	buf_fini(&path);
	buf_fini(&methods);
	buf_fini(&f->body);
	if (!call)
		return answer_message(r, 422, STR("The form is not whole."));
	if (b->body)
		buf_add(&call->body, str_of(b->body));
	return admin_send(call);
}

static enum go take_form(struct req *r, const struct status *v)
{
	static const char TYPE[] = "application/x-www-form-urlencoded";
	struct form *f = r->state;
	if (!v->buttons)
		return req_answer(r, 405);
	if (!is_same_origin(r))
		return req_answer_why(r, 403, "The buttons work on the page itself only.");
	struct str type = ask_field(&r->ask, FIELD_CONTENT_TYPE);
	if (!str_eq_nocase(str_trim(str_head(type, str_find(type, ';'))), str_of(TYPE)))
		return req_answer(r, 415);
	if (!f) {
		r->state = f = ARENA_NEW(&r->arena, struct form);
		r->state_close = form_close;
	}
	enum go go = admin_body(r, &f->body, FORM_MOST_B);
	if (go == GO_NEXT)
		go = press(r, f);
	if (go != GO_WAIT)
		buf_fini(&f->body);
	return go;
}

/* Back to the page, where it can be seen; or the sentence that says why not. */
static void answer_change(struct req *r, const struct admin_call *call)
{
	struct str back = call->errand->method == METHOD_POST ? STR("apps") : STR("pools");
	if (call->status == 200) {
		answer_bytes(r, 303, STR(""), STR(""));
		answer_add(r, STR("Location"), arena_strf(&r->arena, "%.*s#%.*s", STR_F(target_encode(&r->arena, r->ask.path)),
		                                          STR_F(back)));
		answer_add(r, STR("Cache-Control"), STR("no-store"));
		return;
	}
	json_t *json = json_loadb(call->json.p, call->json.n, 0, NULL);
	const char *error = json_string_value(json_object_get(json, "error"));
	answer_message(r, call->status, str_of(error ? error : "The server did not say why."));
	json_decref(json);
}

/* --- The handler. --- */

static enum go answer_events(struct req *r, const struct admin_call *call, bool buttons)
{
	struct feed *feed;
	if (call->status != 200)
		return req_answer_why(r, call->status, "As many look at the page already as may.");
	answer_feed(r, STR("text/event-stream"), STR("retry: 2000\n\n"), FEED_MOST_B, &feed);
	page_watch(r, feed, buttons);
	return GO_ANSWER;
}

static enum go answer_call(struct req *r, const struct status *v, enum want want, const struct admin_call *call)
{
	struct str text = buf_str(&call->json);
	switch (want) {
	case WANT_PAGE:
		answer_page(r, 200, text, true);
		break;
	case WANT_EVENTS:
		return answer_events(r, call, v->buttons);
	case WANT_CHANGE:
		answer_change(r, call);
		break;
	case WANT_JSON:
	case WANT_METRICS:
		answer_bytes(r, call->status, str_of(call->errand->type ? call->errand->type : "application/json"),
		             arena_str(&r->arena, text));
		answer_set(r, STR("Cache-Control"), STR("no-store"));
	}
	return GO_ANSWER;
}

static enum go status_handle(struct req *r, const void *values)
{
	const struct status *v = values;
	enum want want = want_of(r);
	struct admin_call *call = r->state_close == form_close ? NULL : r->state;
	if (!call && want == WANT_CHANGE)
		return take_form(r, v);
	if (!call && !req_reads(r))
		return GO_ANSWER;
	if (!call) {
		const struct errand *errand = errand_of(want, v);
		return errand ? admin_send(admin_call_new(r, errand, r->ask.path, NULL)) : req_answer(r, 404);
	}
	if (!call->home_again)
		return GO_WAIT;
	enum go go = answer_call(r, v, want, call);
	admin_call_free(call);
	return go;
}

static const struct directive STATUS_ROWS[] = {
	{ .name = "buttons", .offset = offsetof(struct status, buttons),
	  .args = ARGS({ "flag", &TYPE_FLAG, .preset = "off" }),
	  .doc = "Whether the page has buttons that drain a server, put it down and make it ready again, and restart an "
	         "app. Whoever may see the page may press them." },
	{},
};

static const struct directive DIRECTIVES[] = {
	{ .name = "status", .kind = DIR_HANDLER, .scopes = SCOPE_ROUTE, .inner = STATUS_ROWS,
	  .doc = "Answers with the status page, drawn live: traffic, errors, times, routes, pools, applications, event "
	         "loops. ?json, ?metrics and ?events answer with the same as JSON, in the text format of Prometheus, and as "
	         "an event stream; behind a pattern such as /-/status* the paths that end in /status.json, /metrics and "
	         "/events do, too. Who may see it is for allow to say.",
	  .example = "route /-/status* { allow 127.0.0.0/8 ::1; status; }\n"
	             "route = /-/admin { allow 10.0.0.0/24; status { buttons on; } }" },
	{},
};

const struct module STATUS = {
	.name = "status",
	.doc = "The status page: what the server does, drawn live, and a few buttons.",
	.size = sizeof(struct status),
	.directives = DIRECTIVES,
	.handle = status_handle,
};
