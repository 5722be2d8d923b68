/* Answering: the head's fields, and the pages that petrel makes itself.  On the request's loop; memory of its arena. */
#include "base/mem.h"
#include "base/must.h"
#include "http/core.h"
#include "http/req.h"
#include "http/trailers.h"

struct str end_name(enum end end)
{
	static const struct str NAMES[] = {
		[END_DONE] = { "done", 4 },
		[END_CLIENT] = { "client", 6 },
		[END_BAD] = { "bad-request", 11 },
		[END_HEADER_TIMEOUT] = { "header_timeout", 14 },
		[END_BODY_TIMEOUT] = { "body_timeout", 12 },
		[END_SEND_TIMEOUT] = { "send_timeout", 12 },
		[END_MIN_RATE] = { "min_rate", 8 },
		[END_BROKEN] = { "broken", 6 },
		[END_DRAIN] = { "drain", 5 },
		[END_IDLE] = { "tunnel_timeout", 14 },
		[END_CONNECT] = { "connect_failed", 14 },
		[END_CONNECT_TIMEOUT] = { "connect_timeout", 15 },
		[END_SERVER_SEND] = { "server_send_timeout", 19 },
		[END_ANSWER_TIMEOUT] = { "answer_timeout", 14 },
		[END_READ_TIMEOUT] = { "read_timeout", 12 },
		[END_SERVER_BROKE] = { "server_broke", 12 },
		[END_SERVER_BAD] = { "server_bad", 10 },
		[END_QUEUE_FULL] = { "queue_full", 10 },
		[END_QUEUE_TIMEOUT] = { "queue_timeout", 13 },
		[END_NO_SERVER] = { "no_server", 9 },
		[END_DISK_QUEUE] = { "disk_queue", 10 },
		[END_DESCRIPTORS] = { "descriptors", 11 },
		[END_TEMPORARY] = { "temporary_full", 14 },
		[END_SHED_ALL] = { "shed_all", 8 },
	};
	return NAMES[end];
}

/* What the client did counts more than what it was told. */
enum end req_ended(const struct req *r)
{
	return r->end == END_DONE || r->end == END_BROKEN ? r->cause ? r->cause : r->end : r->end;
}

/* No CR, LF or NUL: eight bytes at a time are seen to hold no control character at all; only what does is looked at
 * byte by byte. */
static bool is_clean(struct str value)
{
	static const uint64_t ONES = 0x0101010101010101;
	size_t i = 0;
	for (; i + 8 <= value.n; i += 8) {
		uint64_t eight;
		memcpy(&eight, value.p + i, 8);
		if ((eight - ONES * 0x20) & ~eight & ONES * 0x80)
			break;
	}
	for (; i < value.n; i++)
		if (value.p[i] == '\r' || value.p[i] == '\n' || value.p[i] == '\0')
			return false;
	return true;
}

void answer_add(struct req *r, struct str name, struct str value)
{
	struct answer *a = &r->answer;
	must(is_clean(value));
	if (a->field_count == a->field_cap) {
		size_t cap = a->field_cap ? a->field_cap * 2 : ANSWER_FIELDS;
		struct field *more = arena_raw(&r->arena, cap * sizeof *more);
		if (a->field_count)
			memcpy(more, a->fields, a->field_count * sizeof *more);
		a->fields = more;
		a->field_cap = cap;
	}
	a->fields[a->field_count++] = (struct field){ name, value, FIELD_OTHER };
}

void answer_remove(struct req *r, struct str name)
{
	struct answer *a = &r->answer;
	size_t kept = 0;
	for (size_t i = 0; i < a->field_count; i++)
		if (!str_eq_nocase(a->fields[i].name, name))
			a->fields[kept++] = a->fields[i];
	a->field_count = kept;
	if (a->trailers)
		trailers_remove(a->trailers, &r->arena, name);
}

void answer_set(struct req *r, struct str name, struct str value)
{
	answer_remove(r, name);
	answer_add(r, name, value);
}

struct str answer_field(const struct req *r, struct str name)
{
	for (size_t i = 0; i < r->answer.field_count; i++)
		if (str_eq_nocase(r->answer.fields[i].name, name))
			return r->answer.fields[i].value;
	return (struct str){ NULL, 0 };
}

void answer_vary(struct req *r, struct str name)
{
	struct str have = answer_field(r, STR("Vary"));
	if (!have.p)
		answer_add(r, STR("Vary"), name);
	else if (!list_has(have, name) && !str_eq(have, STR("*")))
		answer_set(r, STR("Vary"), arena_strf(&r->arena, "%.*s, %.*s", STR_F(have), STR_F(name)));
}

/* Whatever a handler began to answer is dropped. */
static void start_over(struct req *r)
{
	if (r->answer.body)
		body_close(r->answer.body);
	r->answer.body = NULL;
	r->answer.trailers = NULL;
	r->answer.hot = NULL;
	r->answer.page = NULL;
	r->answer.date = (struct str){};
	r->answer.field_count = 0;
}

void answer_bytes(struct req *r, unsigned status, struct str type, struct str bytes)
{
	start_over(r);
	r->answer.status = status;
	r->answer.length_b = (int64_t)bytes.n;
	r->answer.body = body_of_str(&r->arena, bytes);
	if (type.n)
		answer_add(r, STR("Content-Type"), type);
}

/* What a person is told where nobody said more. */
static const char *plain_words(unsigned status)
{
	switch (status) {
	case 403: return "This is not for everyone to see.";
	case 404: return "There is nothing at this address.";
	case 416: return "The file is shorter than what was asked of it.";
	case 429: return "That was too much at a time. Please try again later.";
	case 503: return "There is too much to do at the moment. Please try again.";
	default: return "";
	}
}

static const char PAGE_STYLE[] =
	":root{color-scheme:light dark;--text:#1d2733;--soft:#5d6b7a;--back:#fff}"
	"@media(prefers-color-scheme:dark){:root{--text:#dfe5ea;--soft:#96a3b0;--back:#14191f}}"
	"body{font:17px/1.5 system-ui,sans-serif;max-width:34rem;margin:18vh auto 0;padding:0 1.5rem;color:var(--text);"
	"background:var(--back)}b{display:block;font-size:3.4rem;line-height:1;font-weight:300;color:var(--soft)}"
	"h1{font-weight:600;font-size:1.5rem;margin:0}p{color:var(--soft);margin:.8rem 0}";

/* The short page: plain enough for any client, good enough to be seen by a person. */
static struct str page_html(struct req *r, unsigned status, struct str reason, const char *why)
{
	return arena_strf(&r->arena,
	                  "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
	                  "<meta name=\"viewport\" content=\"width=device-width\"><title>%u %.*s</title>\n"
	                  "<style>%s</style></head>\n<body><h1><b>%u</b> %.*s</h1><p>%s</p></body></html>\n",
	                  status, STR_F(reason), PAGE_STYLE, status, STR_F(reason), why ? why : plain_words(status));
}

static bool wants(struct str accept, struct str type)
{
	struct str element;
	while (list_next(&accept, &element))
		if (str_eq_nocase(str_trim(str_head(element, str_find(element, ';'))), type))
			return true;
	return false;
}

bool req_prefers_json(const struct req *r)
{
	struct str accept = ask_field(&r->ask, FIELD_ACCEPT);
	return wants(accept, STR("application/json")) && !wants(accept, STR("text/html"));
}

enum go req_answer_why(struct req *r, unsigned status, const char *why)
{
	struct str reason = status_reason(status), accept = ask_field(&r->ask, FIELD_ACCEPT);
	if (wants(accept, STR("text/html")))
		answer_bytes(r, status, STR("text/html; charset=utf-8"), page_html(r, status, reason, why));
	else if (req_prefers_json(r))
		answer_bytes(r, status, STR("application/json"),
		             arena_strf(&r->arena, "{\"status\":%u,\"error\":\"%.*s\"%s%s%s}\n", status, STR_F(reason),
		                        why ? ",\"detail\":\"" : "", why ? why : "", why ? "\"" : ""));
	else
		answer_bytes(r, status, STR("text/plain; charset=utf-8"),
		             arena_strf(&r->arena, "%u %.*s%s%s\n", status, STR_F(reason), why ? ": " : "",
		                        why ? why : ""));
	if (status == 405 || status == 501)
		answer_add(r, STR("Allow"), STR("GET, HEAD, OPTIONS"));
	return GO_ANSWER;
}

enum go req_answer(struct req *r, unsigned status)
{
	return req_answer_why(r, status, NULL);
}

enum go req_again(struct req *r, struct str path)
{
	if (++r->again > REQ_AGAIN)
		return r->step < STEP_HEAD ? req_answer_why(r, 508, "The configuration sends this request round in circles.")
		                           : GO_FAIL;
	start_over(r);
	r->passed = NULL;
	r->ask.path = path;
	return GO_AGAIN;
}

void req_become_get(struct req *r)
{
	if (r->ask.method != METHOD_HEAD)
		r->ask.method = METHOD_GET;
	r->ask.framing = FRAMING_NONE;
	r->ask.length_b = 0;
	r->upload = body_of_str(&r->arena, STR(""));
}

enum go req_pass(struct req *r)
{
	start_over(r);
	r->passed = r->route;
	return GO_AGAIN;
}

/* The page is the whole answer, whatever was asked for: no part of it, and no 304. */
static void forget_conditions(struct ask *ask)
{
	static const enum field_id CONDITIONS[] = { FIELD_IF_MATCH, FIELD_IF_MODIFIED_SINCE, FIELD_IF_NONE_MATCH,
		                                    FIELD_IF_RANGE, FIELD_IF_UNMODIFIED_SINCE, FIELD_RANGE };
	for (size_t i = 0; i < countof(CONDITIONS); i++)
		ask->first[CONDITIONS[i]] = 0;
}

/* What belongs to the status rather than to the page. */
static void keep_fields(struct req *r)
{
	static const struct str KEPT[] = { { "Allow", 5 }, { "Content-Range", 13 }, { "Retry-After", 11 },
		                           { "WWW-Authenticate", 16 } };
	r->kept_fields = arena_raw(&r->arena, countof(KEPT) * sizeof *r->kept_fields);
	r->kept_field_count = 0;
	for (size_t i = 0; i < countof(KEPT); i++) {
		struct str value = answer_field(r, KEPT[i]);
		if (value.p)
			r->kept_fields[r->kept_field_count++] = (struct field){ KEPT[i], value, FIELD_OTHER };
	}
}

enum go req_again_page(struct req *r, struct str path)
{
	must(!r->kept_status && r->again < REQ_AGAIN);
	r->kept_status = r->answer.status;
	keep_fields(r);
	req_become_get(r);
	forget_conditions(&r->ask);
	return req_again(r, path);
}

enum go req_upload_broken(struct req *r)
{
	r->answer.close = true;
	return r->upload_status ? req_answer(r, r->upload_status) : GO_FAIL;
}

bool req_reads(struct req *r)
{
	if (r->ask.method == METHOD_GET || r->ask.method == METHOD_HEAD)
		return true;
	if (r->ask.method == METHOD_OPTIONS) {
		start_over(r);
		r->answer.status = 204;
		r->answer.length_b = 0;
		answer_add(r, STR("Allow"), STR("GET, HEAD, OPTIONS"));
		return false;
	}
	req_answer(r, r->ask.method == METHOD_OTHER ? 501 : 405);
	return false;
}

const struct core *req_core(const struct req *r)
{
	if (r->admin || !r->site)
		return conf_core(req_conf(r));
	return r->route ? r->route->values[0] : r->site->values[0];
}

const void *req_values(const struct req *r, const struct module *m)
{
	const struct conf *conf = req_conf(r);
	bool main = r->admin || !r->site;
	void *const *values = main ? conf->values : r->route ? r->route->values : r->site->values;
	for (size_t i = 0; i < conf->module_count; i++)
		if (conf->modules[i] == m)
			return values[i];
	return NULL;
}

void req_id_print(const struct req *r, char *p)
{
	for (unsigned i = 0; i < REQ_ID_B; i++)
		p[i] = "0123456789abcdef"[r->id >> (60 - 4 * i) & 15];
}

struct str req_scheme(const struct req *r)
{
	(void)r;
	return STR("http");
}
