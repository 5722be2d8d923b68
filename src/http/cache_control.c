/* Cache-Control and its relatives.  A directive that restricts counts however badly it is written; one that allows counts
 * only where it is written well.  No state; any thread. */
#include "http/cache_control.h"

#include "base/mem.h"
#include "base/num.h"
#include "http/sf.h"

/* How a directive's argument is read. */
enum form {
	FORM_RESTRICTS,   /* none; whatever stands there, it holds */
	FORM_ALLOWS,      /* none; with one it does not hold */
	FORM_FIELDS,      /* none, or a list of fields, for which alone it holds: the next flag */
	FORM_LIFETIME,    /* seconds; 0 where they can't be read */
	FORM_WISH,        /* seconds; as if it were not there where they can't be read */
	FORM_MAX_STALE,   /* seconds, or none: however many */
};

static const struct directive {
	struct str name;
	enum form form;
	unsigned flag;
	size_t seconds;   /* offset */
} DIRECTIVES[] = {
	{ { "max-age", 7 }, FORM_LIFETIME, 0, offsetof(struct cache_control, max_age) },
	{ { "no-cache", 8 }, FORM_FIELDS, CC_NO_CACHE, 0 },
	{ { "no-store", 8 }, FORM_RESTRICTS, CC_NO_STORE, 0 },
	{ { "public", 6 }, FORM_ALLOWS, CC_PUBLIC, 0 },
	{ { "private", 7 }, FORM_FIELDS, CC_PRIVATE, 0 },
	{ { "s-maxage", 8 }, FORM_LIFETIME, 0, offsetof(struct cache_control, s_maxage) },
	{ { "must-revalidate", 15 }, FORM_RESTRICTS, CC_MUST_REVALIDATE, 0 },
	{ { "proxy-revalidate", 16 }, FORM_RESTRICTS, CC_PROXY_REVALIDATE, 0 },
	{ { "must-understand", 15 }, FORM_ALLOWS, CC_MUST_UNDERSTAND, 0 },
	{ { "immutable", 9 }, FORM_ALLOWS, CC_IMMUTABLE, 0 },
	{ { "no-transform", 12 }, FORM_RESTRICTS, CC_NO_TRANSFORM, 0 },
	{ { "only-if-cached", 14 }, FORM_RESTRICTS, CC_ONLY_IF_CACHED, 0 },
	{ { "stale-while-revalidate", 22 }, FORM_LIFETIME, 0, offsetof(struct cache_control, stale_while_revalidate) },
	{ { "stale-if-error", 14 }, FORM_LIFETIME, 0, offsetof(struct cache_control, stale_if_error) },
	{ { "min-fresh", 9 }, FORM_WISH, 0, offsetof(struct cache_control, min_fresh) },
	{ { "max-stale", 9 }, FORM_MAX_STALE, 0, offsetof(struct cache_control, max_stale) },
};

_Static_assert(CC_NO_CACHE_FIELDS == CC_NO_CACHE << 1 && CC_PRIVATE_FIELDS == CC_PRIVATE << 1, "FORM_FIELDS");

static const struct cache_control NOTHING = {
	.max_age = CC_ABSENT,
	.s_maxage = CC_ABSENT,
	.stale_while_revalidate = CC_ABSENT,
	.stale_if_error = CC_ABSENT,
	.min_fresh = CC_ABSENT,
	.max_stale = CC_ABSENT,
};

/* A directive as it was written. */
struct said {
	const struct directive *what;
	struct str argument;   /* .p NULL: none; without its quotes */
	int64_t number;        /* CC_ABSENT: it is no number of seconds */
	bool broken;           /* it can't be told where it ends */
};

static const struct directive *directive_of(struct str name)
{
	for (size_t i = 0; i < countof(DIRECTIVES); i++)
		if (DIRECTIVES[i].name.n == name.n && str_eq_nocase(DIRECTIVES[i].name, name))
			return &DIRECTIVES[i];
	return NULL;
}

/* delta-seconds (RFC 9111, 1.2.2): however many digits. */
static int64_t seconds_of(struct str s)
{
	uint64_t n = CC_SECONDS_MOST;
	if (!s.n)
		return CC_ABSENT;
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_digit(s.p[i]))
			return CC_ABSENT;
	return num_parse(s, CC_SECONDS_MOST, &n) ? CC_SECONDS_MOST : (int64_t)n;
}

/* --- What directives mean. --- */

/* The shorter lifetime, the smaller tolerance, the larger demand. */
static void restrict_to(int64_t *have, int64_t said, bool larger)
{
	if (*have == CC_ABSENT || (larger ? said > *have : said < *have))
		*have = said;
}

/* A list of fields' names, at least one. */
static bool are_names(struct str list)
{
	struct str name;
	size_t count = 0;
	for (; list_next(&list, &name); count++)
		if (!str_is_token(name))
			return false;
	return count > 0;
}

static void seconds_mean(struct cache_control *cc, const struct said *s)
{
	int64_t *have = (int64_t *)((char *)cc + s->what->seconds), n = s->broken ? CC_ABSENT : s->number;
	if (s->what->form == FORM_LIFETIME)
		restrict_to(have, n == CC_ABSENT ? 0 : n, false);
	else if (n != CC_ABSENT)
		restrict_to(have, n, s->what->form == FORM_WISH);
	else if (s->what->form == FORM_MAX_STALE && !s->broken && !s->argument.p)
		cc->flags |= CC_MAX_STALE_ANY;
}

static void mean(struct cache_control *cc, const struct said *s)
{
	switch (s->what->form) {
	case FORM_RESTRICTS:
		cc->flags |= s->what->flag;
		return;
	case FORM_ALLOWS:
		if (!s->broken && !s->argument.p)
			cc->flags |= s->what->flag;
		return;
	case FORM_FIELDS:
		cc->flags |= !s->broken && are_names(s->argument) ? s->what->flag << 1 : s->what->flag;
		return;
	default:
		seconds_mean(cc, s);
	}
}

/* A number next to "any number" is the stricter of the two. */
static void settle(struct cache_control *cc)
{
	if (cc->max_stale != CC_ABSENT)
		cc->flags &= ~(unsigned)CC_MAX_STALE_ANY;
}

/* --- Cache-Control as a list of directives (RFC 9111, 5.2). --- */

/* Where a quote was opened and never closed nobody can tell what was meant to be inside of it. */
static bool is_closed(struct str element)
{
	bool quoted = false;
	for (size_t i = 0; i < element.n; i++) {
		if (quoted && element.p[i] == '\\')
			i++;
		else if (element.p[i] == '"')
			quoted = !quoted;
	}
	return !quoted;
}

/* Whether the argument is a token or one quoted string; that loses its quotes.  Escapes stay: what is escaped is neither a
 * number nor a name. */
static bool argument_take(struct str *s)
{
	if (s->n < 2 || s->p[0] != '"')
		return str_is_token(*s);
	struct str inside = str_head(str_from(*s, 1), s->n - 2);
	bool whole = s->p[s->n - 1] == '"' && is_closed(inside) && str_find(inside, '"') == inside.n;
	*s = inside;
	return whole;
}

/* "name", "name=argument"; false: nothing that is known. */
static bool said_of(struct str element, bool broken, struct said *out)
{
	struct str rest = element, name = str_cut(&rest, '='), trimmed = str_trim(name);
	*out = (struct said){ .what = directive_of(trimmed), .argument = rest, .number = CC_ABSENT, .broken = broken };
	if (!out->what)
		return false;
	if (rest.p) {
		out->broken |= name.n != trimmed.n || !argument_take(&out->argument);
		out->number = seconds_of(out->argument);
	}
	return true;
}

/* Takes the next element off a line; *broken: from an open quote on they end at any comma. */
static bool element_next(struct str *line, struct str *element, bool *broken)
{
	struct str before = *line;
	if (!*broken) {
		if (!list_next(line, element))
			return false;
		if (is_closed(*element))
			return true;
		*broken = true;
		*line = str_make(element->p, (size_t)(before.p + before.n - element->p));
	}
	if (!line->n)
		return false;
	*element = str_trim(str_cut(line, ','));
	return true;
}

static void line_read(struct cache_control *cc, struct str line)
{
	struct str element;
	struct said said;
	bool broken = false;
	while (element_next(&line, &element, &broken))
		if (said_of(element, broken, &said))
			mean(cc, &said);
}

static enum field_id id_of(const struct field *f)
{
	return f->id ? f->id : field_id(f->name);
}

static void lines_read(const struct field *fields, size_t count, struct cache_control *out)
{
	*out = NOTHING;
	for (size_t i = 0; i < count; i++)
		if (id_of(&fields[i]) == FIELD_CACHE_CONTROL)
			line_read(out, fields[i].value);
	settle(out);
}

/* --- CDN-Cache-Control as a dictionary (RFC 9213). --- */

static bool is_targeted(const struct field *f)
{
	return str_eq_nocase(f->name, STR("CDN-Cache-Control"));
}

/* Numbers have to be integers, and flags booleans (2.1); parameters say nothing. */
static bool said_of_member(struct str key, const struct sf *value, struct said *out)
{
	*out = (struct said){ .what = directive_of(key), .number = CC_ABSENT };
	if (!out->what || (value->kind == SF_BOOLEAN && !value->number))
		return false;
	if (value->kind == SF_BOOLEAN)
		return true;
	out->argument = value->text.p ? value->text : STR("");
	out->broken = value->kind != SF_INTEGER && value->kind != SF_STRING && value->kind != SF_TOKEN;
	if (value->kind == SF_INTEGER && value->number >= 0)
		out->number = value->number < CC_SECONDS_MOST ? value->number : CC_SECONDS_MOST;
	return true;
}

/* Whether there is such a field, and all of it can be read; of a key that comes again the last value is meant by the RFC,
 * and the stricter one taken here. */
static bool targeted_read(const struct field *fields, size_t count, struct cache_control *out)
{
	struct said said;
	struct str key;
	struct sf value;
	*out = NOTHING;
	for (size_t i = 0; i < count; i++) {
		struct str rest = fields[i].value;
		int got = 0;
		while (is_targeted(&fields[i]) && (got = sf_dict_next(&rest, &key, &value)) > 0) {
			out->targeted = true;
			if (said_of_member(key, &value, &said))
				mean(out, &said);
		}
		if (got < 0)
			return false;
	}
	settle(out);
	return out->targeted;
}

void cache_control_of_answer(const struct field *fields, size_t count, struct cache_control *out)
{
	if (!targeted_read(fields, count, out))
		lines_read(fields, count, out);
}

void cache_control_of_ask(const struct ask *a, struct cache_control *out)
{
	*out = NOTHING;
	if (a->first[FIELD_CACHE_CONTROL]) {
		lines_read(a->fields, a->field_count, out);
		return;
	}
	for (size_t i = 0; a->first[FIELD_PRAGMA] && i < a->field_count; i++)
		if (a->fields[i].id == FIELD_PRAGMA && list_has(a->fields[i].value, STR("no-cache")))
			out->flags |= CC_NO_CACHE;
}

/* --- The fields that are named. --- */

static bool said_names(const struct said *s, struct str name)
{
	return s->what->form == FORM_FIELDS && s->argument.p && list_has(s->argument, name);
}

static bool line_names(struct str line, struct str name)
{
	struct str element;
	struct said said;
	bool broken = false;
	while (element_next(&line, &element, &broken))
		if (said_of(element, broken, &said) && said_names(&said, name))
			return true;
	return false;
}

static bool dict_names(struct str line, struct str name)
{
	struct str key;
	struct sf value;
	struct said said;
	while (sf_dict_next(&line, &key, &value) > 0)
		if (said_of_member(key, &value, &said) && said_names(&said, name))
			return true;
	return false;
}

bool cache_control_names(const struct cache_control *cc, const struct field *fields, size_t count, struct str name)
{
	if (!(cc->flags & (CC_NO_CACHE_FIELDS | CC_PRIVATE_FIELDS)))
		return false;
	for (size_t i = 0; i < count; i++) {
		const struct field *f = &fields[i];
		if (cc->targeted ? is_targeted(f) && dict_names(f->value, name)
		                 : id_of(f) == FIELD_CACHE_CONTROL && line_names(f->value, name))
			return true;
	}
	return false;
}
