/* Trailers: which are passed on, and how they are written.  See trailers.h. */
#include "http/trailers.h"

#include "base/mem.h"

bool trailers_wanted(const struct ask *ask)
{
	for (size_t i = 0; ask->minor >= 1 && i < ask->field_count; i++)
		if (ask->fields[i].id == FIELD_TE && list_has(ask->fields[i].value, STR("trailers")))
			return true;
	return false;
}

/* --- Which. --- */

/* What frames, routes, modifies, authenticates or describes a message (RFC 9110, 6.5.1), or tells its recipient to do
 * something.  Those that end in '-' stand for all that begin so. */
static const struct str NEVER[] = {
	{ "Access-Control-", 15 },
	{ "Age", 3 },
	{ "Allow", 5 },
	{ "Alt-Svc", 7 },
	{ "Authentication-Info", 19 },
	{ "Authorization", 13 },
	{ "Cache-Control", 13 },
	{ "Clear-Site-Data", 15 },
	{ "Connection", 10 },
	{ "Content-", 8 },
	{ "Cookie", 6 },
	{ "Cookie2", 7 },
	{ "Cross-Origin-", 13 },
	{ "Date", 4 },
	{ "Expect", 6 },
	{ "Expires", 7 },
	{ "Forwarded", 9 },
	{ "HTTP2-", 6 },
	{ "Host", 4 },
	{ "If-", 3 },
	{ "Keep-", 5 },
	{ "Link", 4 },
	{ "Location", 8 },
	{ "Max-Forwards", 12 },
	{ "Pragma", 6 },
	{ "Proxy-", 6 },
	{ "Range", 5 },
	{ "Refresh", 7 },
	{ "Retry-After", 11 },
	{ "Sec-", 4 },
	{ "Server", 6 },
	{ "Set-Cookie", 10 },
	{ "Set-Cookie2", 11 },
	{ "Status", 6 },
	{ "Strict-Transport-Security", 25 },
	{ "TE", 2 },
	{ "Trailer", 7 },
	{ "Transfer-", 9 },
	{ "Upgrade", 7 },
	{ "Vary", 4 },
	{ "Via", 3 },
	{ "WWW-Authenticate", 16 },
	{ "Warning", 7 },
	{ "X-Accel-", 8 },
	{ "X-Content-", 10 },
	{ "X-Forwarded-", 12 },
	{ "X-Frame-Options", 15 },
	{ "X-Sendfile", 10 },
};

bool trailers_may(struct str name)
{
	/* A digest of the content is what trailers are for (RFC 9530, 2). */
	if (str_eq_nocase(name, STR("Content-Digest")))
		return true;
	for (size_t i = 0; i < countof(NEVER); i++) {
		bool begins = NEVER[i].p[NEVER[i].n - 1] == '-';
		if (field_is_like(NEVER[i], begins ? str_head(name, NEVER[i].n) : name))
			return false;
	}
	return true;
}

static bool is_removed(const struct trailers *t, struct str name)
{
	for (size_t i = 0; i < t->removed_count; i++)
		if (field_is_like(t->removed[i], name))
			return true;
	return false;
}

static bool is_passed(const struct trailers *t, struct str name)
{
	return trailers_may(name) && !fields_name(t->hops, t->hop_count, name);
}

/* --- The head. --- */

static void keep_hops(struct trailers *t, struct arena *a, const struct field *head, size_t count)
{
	for (size_t i = 0; i < count; i++)
		t->hop_count += head[i].id == FIELD_CONNECTION;
	t->hops = arena_raw(a, t->hop_count * sizeof *t->hops);
	t->hop_count = 0;
	for (size_t i = 0; i < count; i++)
		if (head[i].id == FIELD_CONNECTION)
			t->hops[t->hop_count++] = head[i];
}

/* More names than a section may have fields announce nothing. */
static void keep_names(struct trailers *t, struct arena *a, struct str list)
{
	struct str names[LINES_FIELDS];
	size_t count = 0;
	while (list.p && count < countof(names)) {
		struct str name = str_trim(str_cut(&list, ','));
		if (str_is_token(name) && is_passed(t, name))
			names[count++] = name;
	}
	struct str *all = arena_raw(a, (t->announced_count + count) * sizeof *all);
	if (t->announced_count)
		memcpy(all, t->announced, t->announced_count * sizeof *all);
	if (count)
		memcpy(all + t->announced_count, names, count * sizeof *all);
	t->announced = all;
	t->announced_count += count;
}

struct trailers *trailers_new(struct arena *a, const struct field *head, size_t count)
{
	struct trailers *t = ARENA_NEW(a, struct trailers);
	keep_hops(t, a, head, count);
	for (size_t i = 0; i < count; i++)
		if (str_eq_nocase(head[i].name, STR("Trailer")) && t->announced_count < LINES_FIELDS)
			keep_names(t, a, head[i].value);
	return t;
}

void trailers_remove(struct trailers *t, struct arena *a, struct str name)
{
	if (t->removed_count == t->removed_cap) {
		size_t cap = t->removed_cap ? t->removed_cap * 2 : 8;
		struct str *more = arena_raw(a, cap * sizeof *more);
		if (t->removed_count)
			memcpy(more, t->removed, t->removed_count * sizeof *more);
		t->removed = more;
		t->removed_cap = cap;
	}
	t->removed[t->removed_count++] = name;
}

bool trailers_expected(const struct trailers *t)
{
	return t && (t->announced_count || t->count);
}

struct str trailers_names(const struct trailers *t, struct arena *a)
{
	struct buf out = {};
	for (size_t i = 0; i < t->announced_count; i++) {
		if (is_removed(t, t->announced[i]))
			continue;
		if (out.n)
			buf_add(&out, STR(", "));
		buf_add(&out, t->announced[i]);
	}
	struct str names = arena_str(a, buf_str(&out));
	buf_fini(&out);
	return names;
}

/* --- The section. --- */

enum parsed trailers_parse(struct arena *a, struct str in, struct trailers *t, size_t *used, const char **why)
{
	struct lines l = { .in = in, .fields_most = LINES_FIELDS };
	struct field fields[LINES_FIELDS];
	size_t count, kept = 0;
	enum parsed p = lines_fields(&l, fields, &count);
	if (p == PARSE_BAD)
		*why = arena_strf(a, "The trailers of the server's answer are malformed: %s.", l.why).p;
	if (p != PARSE_DONE)
		return p;
	*used = l.at;
	for (size_t i = 0; t && i < count; i++)
		if (is_passed(t, fields[i].name))
			fields[kept++] = fields[i];
	if (kept)
		lines_keep(a, &l, fields, kept, &t->fields);
	if (t)
		t->count = kept;
	return PARSE_DONE;
}

void trailers_print(const struct trailers *t, struct buf *out)
{
	for (size_t i = 0; i < t->count; i++) {
		const struct field *f = &t->fields[i];
		if (!is_removed(t, f->name))
			buf_addf(out, "%.*s: %.*s\r\n", STR_F(f->name), STR_F(f->value));
	}
}
