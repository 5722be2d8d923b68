/* Conditional requests: fields against what is there.  No state; the request's loop. */
#include "http/conditional.h"

#include "http/date.h"

/* Takes the next entity tag off a list (RFC 9110, 8.8.3): with its quotes and, where weak, its "W/".  False at the end, and
 * at the first thing that is none: nothing after it can be trusted. */
static bool tag_next(struct str *list, struct str *tag)
{
	while (list->n && (list->p[0] == ',' || list->p[0] == ' ' || list->p[0] == '\t'))
		*list = str_from(*list, 1);
	size_t quote = str_starts(*list, STR("W/")) ? 2 : 0;
	if (quote >= list->n || list->p[quote] != '"')
		return false;
	size_t n = str_find(str_from(*list, quote + 1), '"');
	size_t end = quote + 1 + n + 1;
	if (end > list->n)
		return false;
	*tag = str_head(*list, end);
	*list = str_trim(str_from(*list, end));
	return !list->n || list->p[0] == ',';
}

static bool is_weak(struct str tag)
{
	return str_starts(tag, STR("W/"));
}

/* RFC 9110, 8.8.3.2. */
static bool tag_eq(struct str a, struct str b, bool strong)
{
	if (strong && (is_weak(a) || is_weak(b)))
		return false;
	return str_eq(str_from(a, is_weak(a) ? 2 : 0), str_from(b, is_weak(b) ? 2 : 0));
}

static bool list_matches(struct str list, struct str etag, bool strong)
{
	struct str tag;
	if (str_eq(list, STR("*")))
		return true;
	while (tag_next(&list, &tag))
		if (etag.n && tag_eq(tag, etag, strong))
			return true;
	return false;
}

/* Whether any line of this field names the ETag; a list may be spread over several. */
static bool matches(const struct ask *ask, enum field_id id, struct str etag, bool strong)
{
	for (size_t i = 0; i < ask->field_count; i++)
		if (ask->fields[i].id == id && list_matches(ask->fields[i].value, etag, strong))
			return true;
	return false;
}

/* A date field that can be used: a valid date, once. */
static bool date_of(struct req *r, enum field_id id, int64_t *seconds)
{
	unsigned count = 0;
	if (!ask_field(&r->ask, id).p)
		return false;
	for (size_t i = 0; i < r->ask.field_count; i++)
		count += r->ask.fields[i].id == id;
	return count == 1 && !date_parse(ask_field(&r->ask, id), home_wall_s(r->home), seconds);
}

unsigned conditional(struct req *r, struct str etag, int64_t modified_s)
{
	const struct ask *ask = &r->ask;
	bool reads = ask->method == METHOD_GET || ask->method == METHOD_HEAD;
	int64_t date_s;
	if (ask_field(ask, FIELD_IF_MATCH).p) {
		if (!matches(ask, FIELD_IF_MATCH, etag, true))
			return 412;
	} else if (modified_s >= 0 && date_of(r, FIELD_IF_UNMODIFIED_SINCE, &date_s) && modified_s > date_s) {
		return 412;
	}
	if (ask_field(ask, FIELD_IF_NONE_MATCH).p) {
		if (matches(ask, FIELD_IF_NONE_MATCH, etag, false))
			return reads ? 304 : 412;
	} else if (reads && modified_s >= 0 && date_of(r, FIELD_IF_MODIFIED_SINCE, &date_s) && modified_s <= date_s) {
		return 304;
	}
	return 0;
}

void answer_unchanged(struct req *r)
{
	if (r->answer.body)
		body_close(r->answer.body);
	r->answer.body = NULL;
	r->answer.hot = NULL;
	r->answer.status = 304;
	r->answer.length_b = 0;
	answer_remove(r, STR("Content-Type"));
	answer_remove(r, STR("Content-Encoding"));
}

bool range_applies(struct req *r, struct str etag, int64_t modified_s)
{
	struct str field = ask_field(&r->ask, FIELD_IF_RANGE);
	int64_t date_s;
	if (!field.p)
		return true;
	if (str_starts(field, STR("\"")) || is_weak(field))
		return etag.n && tag_eq(field, etag, true);
	return modified_s >= 0 && date_of(r, FIELD_IF_RANGE, &date_s) && date_s == modified_s;
}
