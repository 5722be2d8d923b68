/* header, header_add, header_remove, expires: fields of the answer.  Runs on the request's loop; keeps nothing. */
#include "base/mem.h"
#include "base/must.h"
#include "handlers/handlers.h"
#include "http/check.h"
#include "http/date.h"
#include "http/req.h"
#include "http/vars.h"

struct change {
	struct str name;
	struct tmpl value;
	bool always;           /* on answers that went wrong, too */
};

enum expiry_kind { EXPIRY_OFF, EXPIRY_EPOCH, EXPIRY_AFTER };

struct expiry {
	enum expiry_kind kind;
	uint64_t after_s;
};

struct headers {
	struct items set, add; /* struct change */
	struct items remove;   /* struct change, without a value */
	struct expiry expires;
	struct str cache_control;  /* for expires; made by check() */
};

/* "max": ten years. */
enum { EXPIRY_MAX_S = 315360000 };

static bool headers_active(const void *values)
{
	const struct headers *v = values;
	return v->set.count || v->add.count || v->remove.count || v->expires.kind != EXPIRY_OFF;
}

/* --- The answer. --- */

/* A value that turns out empty gives no field. */
static void apply(struct req *r, const struct items *changes, bool fine, void (*put)(struct req *, struct str, struct str))
{
	const struct change *list = changes->p;
	for (size_t i = 0; i < changes->count; i++) {
		struct str value = fine || list[i].always ? tmpl_field(&list[i].value, r) : (struct str){};
		if (value.n)
			put(r, list[i].name, value);
	}
}

/* Of what may be kept and used again: not of errors. */
static bool may_expire(unsigned status)
{
	return status == 200 || status == 203 || status == 204 || status == 206 || status == 301 || status == 304 ||
	       status == 308;
}

static void add_expiry(struct req *r, const struct headers *v)
{
	int64_t at_s = v->expires.kind == EXPIRY_AFTER ? home_wall_s(r->home) + (int64_t)v->expires.after_s : 0;
	char *date = arena_raw(&r->arena, DATE_B);
	date_print(date, at_s);
	answer_set(r, STR("Cache-Control"), v->cache_control);
	answer_set(r, STR("Expires"), str_make(date, DATE_B));
}

static enum go headers_head(struct req *r, const void *values)
{
	const struct headers *v = values;
	const struct change *remove = v->remove.p;
	bool fine = r->answer.status < 400;
	if (v->expires.kind != EXPIRY_OFF && may_expire(r->answer.status))
		add_expiry(r, v);
	for (size_t i = 0; i < v->remove.count; i++)
		answer_remove(r, remove[i].name);
	apply(r, &v->set, fine, answer_set);
	apply(r, &v->add, fine, answer_add);
	return GO_NEXT;
}

/* --- Configuration. --- */

static int expiry_parse(struct type_in *in, struct str text, const struct type_range *range, void *out)
{
	struct expiry *e = out;
	uint64_t ms;
	*e = (struct expiry){};
	if (str_eq(text, STR("off")))
		return 0;
	if (str_eq(text, STR("epoch"))) {
		e->kind = EXPIRY_EPOCH;
		return 0;
	}
	e->kind = EXPIRY_AFTER;
	e->after_s = EXPIRY_MAX_S;
	if (str_eq(text, STR("max")))
		return 0;
	int err = TYPE_DURATION.parse(in, text, range, &ms);
	if (!err)
		e->after_s = ms / 1000;
	return err;
}

static void expiry_print(struct buf *out, const struct type_range *range, const void *value)
{
	const struct expiry *e = value;
	uint64_t ms = e->after_s * 1000;
	if (e->kind == EXPIRY_AFTER && e->after_s != EXPIRY_MAX_S)
		TYPE_DURATION.print(out, range, &ms);
	else
		buf_add(out, e->kind == EXPIRY_OFF ? STR("off") : e->kind == EXPIRY_EPOCH ? STR("epoch") : STR("max"));
}

static const struct type TYPE_EXPIRY = { "expiry", "a duration such as 30d or 12h, or off, epoch or max",
	                                 sizeof(struct expiry), expiry_parse, expiry_print };

/* What petrel writes itself, since it follows from how the message is sent. */
static bool is_ours(struct str name)
{
	static const struct str OURS[] = { { "connection", 10 }, { "content-length", 14 },   { "date", 4 },
		                           { "keep-alive", 10 }, { "server", 6 },            { "trailer", 7 },
		                           { "upgrade", 7 },     { "transfer-encoding", 17 } };
	for (size_t i = 0; i < countof(OURS); i++)
		if (str_eq_nocase(name, OURS[i]))
			return true;
	return false;
}

static void check_changes(struct checker *c, const struct items *changes)
{
	const struct change *list = changes->p;
	for (size_t i = 0; i < changes->count; i++) {
		if (!str_is_token(list[i].name))
			check_error(c, &list[i].name, "\"%.*s\" can't be a field's name", STR_F(list[i].name));
		else if (is_ours(list[i].name))
			check_error(c, &list[i].name, "%.*s follows from how an answer is sent; it can't be changed",
			            STR_F(list[i].name));
		if (!str_is_printable(list[i].value.text))
			check_error(c, &list[i].value, "a field's value can't hold a control character");
	}
}

static void headers_check(struct checker *c, void *values)
{
	struct headers *v = values;
	check_changes(c, &v->set);
	check_changes(c, &v->add);
	check_changes(c, &v->remove);
	v->cache_control = v->expires.kind == EXPIRY_EPOCH
	                           ? STR("no-cache")
	                           : arena_strf(check_arena(c), "max-age=%llu", (unsigned long long)v->expires.after_s);
}

#define AT(member) offsetof(struct change, member)

static const struct directive DIRECTIVES[] = {
	{ .name = "header", .kind = DIR_LIST, .scopes = SCOPE_ALL, .offset = offsetof(struct headers, set),
	  .item_size = sizeof(struct change),
	  .args = ARGS({ "name", &TYPE_WORD, AT(name) }, { "value", &TYPE_TEMPLATE, AT(value) },
	               { "always", NULL, AT(always), ARG_SWITCH }),
	  .doc = "Sets a field of the answer, in place of what it was; the value may hold variables, and where it turns out "
	         "empty there is no field. On answers that went wrong (4xx, 5xx) with always only. A field set further "
	         "inside replaces one set outside.",
	  .example = "header X-Frame-Options DENY;\nheader Strict-Transport-Security max-age=31536000 always;" },
	{ .name = "header_add", .kind = DIR_LIST, .scopes = SCOPE_ALL, .offset = offsetof(struct headers, add),
	  .item_size = sizeof(struct change),
	  .args = ARGS({ "name", &TYPE_WORD, AT(name) }, { "value", &TYPE_TEMPLATE, AT(value) },
	               { "always", NULL, AT(always), ARG_SWITCH }),
	  .doc = "As header, but beside what there is of this name.",
	  .example = "header_add Link \"</style.css>; rel=preload\";" },
	{ .name = "header_remove", .kind = DIR_LIST, .scopes = SCOPE_ALL, .offset = offsetof(struct headers, remove),
	  .item_size = sizeof(struct change),
	  .args = ARGS({ "name", &TYPE_WORD, AT(name) }),
	  .doc = "Takes all fields of this name out of what a handler answered; what header and header_add give stays.",
	  .example = "header_remove Last-Modified;" },
	{ .name = "expires", .scopes = SCOPE_ALL, .offset = offsetof(struct headers, expires),
	  .args = ARGS({ "time", &TYPE_EXPIRY, .range = { .max = EXPIRY_MAX_S * 1000ull }, .preset = "off" }),
	  .doc = "How long an answer may be kept and used again: Cache-Control: max-age and Expires. epoch: not without asking "
	         "(no-cache); max: ten years; off: petrel says nothing about it.",
	  .example = "route /static/* { files; expires 30d; }" },
	{},
};

const struct module HEADERS = {
	.name = "headers",
	.doc = "Fields of the answer: set, added, removed; and how long it may be kept.",
	.size = sizeof(struct headers),
	.directives = DIRECTIVES,
	.active = headers_active,
	.on_head = headers_head,
	.check = headers_check,
};
