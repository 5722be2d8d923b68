/* Answers made of pages.  On the request's loop; memory of its arena. */
#include "http/serve.h"

#include "base/mem.h"
#include "base/num.h"
#include "http/conditional.h"
#include "http/date.h"
#include "http/range.h"

enum { AGE_B = 21 };

/* --- Heads. --- */

static void add_age(struct req *r, const struct page *p)
{
	char *text = arena_raw(&r->arena, AGE_B);
	answer_add(r, STR("Age"), str_make(text, num_print(text, page_age_s(p, home_wall_ms(r->home)))));
}

static void add_fields(struct req *r, const struct page *p)
{
	struct answer *a = &r->answer;
	struct str rest = page_fields(p);
	a->field_cap = p->image.field_count + 8u;
	a->fields = arena_raw(&r->arena, a->field_cap * sizeof *a->fields);
	a->field_count = 0;
	/* The date comes first (page_make.c), and is no field like others. */
	if (p->image.field_count && page_field_next(&rest, &a->fields[0]))
		a->date = a->fields[0].value;
	/* What a slice says of itself is not said of the whole. */
	while (page_field_next(&rest, &a->fields[a->field_count]))
		a->field_count += !(p->image.status == 206 && str_eq_nocase(a->fields[a->field_count].name, STR("Content-Range")));
	add_age(r, p);
}

/* --- Answers that hold what they are made of. --- */

struct holder {
	struct body body;
	struct body *inner;          /* NULL: a head alone */
	struct req *req;
	struct object *object;
	bool held;                   /* a reference of its own */
};

static struct holder *holder_of(struct body *b)
{
	return container_of(b, struct holder, body);
}

static enum body_got hold_read(struct body *b, struct chunk *out, uint64_t want_b)
{
	struct holder *h = holder_of(b);
	if (!h->inner)
		return BODY_END;
	h->inner->reader = b->reader;
	return body_read(h->inner, out, want_b);
}

static void hold_keep(struct body *b, struct str *rest)
{
	struct holder *h = holder_of(b);
	if (!h->held)
		object_get(h->object);
	h->held = true;
	if (h->inner)
		body_keep(h->inner, rest);
}

static void hold_back(struct body *b, uint64_t unused_b)
{
	struct body *inner = holder_of(b)->inner;
	if (inner->ops->back)
		inner->ops->back(inner, unused_b);
}

static void hold_close(struct body *b)
{
	struct holder *h = holder_of(b);
	if (h->inner)
		body_close(h->inner);
	if (h->held)
		object_put(h->req->home->epoch, h->object);
}

static const struct body_ops HOLD_OPS = { hold_read, hold_keep, hold_back, hold_close };

void answer_hold(struct req *r, struct object *o, bool now)
{
	struct holder *h = ARENA_NEW(&r->arena, struct holder);
	*h = (struct holder){ .body.ops = &HOLD_OPS, .inner = r->answer.body, .req = r, .object = o, .held = now };
	if (now)
		object_get(o);
	r->answer.body = &h->body;
}

/* --- Whole pages. --- */

static int64_t modified_of(const struct req *r)
{
	int64_t seconds;
	struct str text = answer_field(r, STR("Last-Modified"));
	return text.p && date_parse(text, home_wall_s(r->home), &seconds) == 0 ? seconds : -1;
}

static bool has_condition(const struct ask *a)
{
	return a->first[FIELD_IF_NONE_MATCH] || a->first[FIELD_IF_MODIFIED_SINCE] || a->first[FIELD_IF_MATCH] ||
	       a->first[FIELD_IF_UNMODIFIED_SINCE];
}

/* 304, 412, 206, 416.  False: it is the whole that is wanted. */
static bool answer_in_part(struct req *r, struct page *p, uint64_t size_b, part_maker *part, void *arg)
{
	struct str etag = answer_field(r, STR("ETag")), range = ask_field(&r->ask, FIELD_RANGE);
	unsigned status = has_condition(&r->ask) ? conditional(r, etag, modified_of(r)) : 0;
	struct ranges ranges;
	if (status == 412) {
		req_answer(r, 412);
		return true;
	}
	if (status == 304) {
		answer_unchanged(r);
		answer_hold(r, &p->object, false);
		return true;
	}
	if (!range.p || r->ask.method != METHOD_GET || !range_applies(r, etag, modified_of(r)))
		return false;
	switch (ranges_parse(range, size_b, &ranges)) {
	case RANGED_WHOLE:
		return false;
	case RANGED_NONE:
		answer_no_range(r, size_b);
		return true;
	case RANGED_PARTS:
		answer_ranges(r, size_b, &ranges, part, arg);
		return true;
	}
	return false;
}

enum go answer_thing(struct req *r, struct page *head, unsigned status, uint64_t size_b, part_maker *part, void *arg)
{
	r->answer.status = status;
	add_fields(r, head);
	if (status == 200 && answer_in_part(r, head, size_b, part, arg))
		return GO_ANSWER;
	r->answer.length_b = (int64_t)size_b;
	r->answer.body = part(r, arg, (struct range){ 0, size_b });
	return GO_ANSWER;
}

static struct body *page_part(struct req *r, void *page, struct range at)
{
	return page_body(r, page, at.from_b, at.length_b);
}

enum go answer_page(struct req *r, struct page *p)
{
	enum go go = answer_thing(r, p, p->image.status, p->image.body_b, page_part, p);
	if (r->answer.status == p->image.status)
		r->answer.page = p;
	return go;
}

/* --- Pages that come in. --- */

struct growth_body {
	struct body body;
	struct req *req;
	struct growth_seat *seat;
	struct growth *growth;       /* the seat's */
	uint64_t at_b;
};

static void wake(void *arg)
{
	struct growth_body *b = arg;
	if (b->body.reader)
		loop_queue(&b->req->home->loop, b->body.reader);
}

static enum body_got growth_read(struct body *body, struct chunk *out, uint64_t want_b)
{
	struct growth_body *b = container_of(body, struct growth_body, body);
	for (;;) {
		/* The state first: what it promises is there by then. */
		enum growing state = growth_state(b->growth);
		struct blob *blob = growth_blob(b->growth);
		if (b->at_b < blob_size_b(blob)) {
			struct str bytes = str_head(blob_at(blob, b->at_b), want_b);
			b->at_b += bytes.n;
			*out = chunk_of(bytes, state == GROWTH_WHOLE && b->at_b == blob_size_b(blob));
			return BODY_SOME;
		}
		if (state == GROWTH_WHOLE)
			return BODY_END;
		if (state == GROWTH_CUT) {
			b->req->cause = END_SERVER_BROKE;
			return BODY_BROKEN;
		}
		if (growth_wait(b->seat, state, b->at_b))
			return BODY_LATER;
	}
}

static void growth_body_close(struct body *body)
{
	growth_leave(container_of(body, struct growth_body, body)->seat);
}

/* What was given lies in the blob, which does not move. */
static const struct body_ops GROWTH_OPS = { .read = growth_read, .close = growth_body_close };

enum go answer_growth(struct req *r, const struct page *head, struct growth *g, struct growth_seat *seat)
{
	r->answer.status = head->image.status;
	add_fields(r, head);
	struct growth_body *b = ARENA_NEW(&r->arena, struct growth_body);
	*b = (struct growth_body){ .body.ops = &GROWTH_OPS, .req = r, .seat = seat, .growth = g };
	growth_seat_for(seat, wake, b);
	r->answer.length_b = head->image.body_b == PAGE_LENGTH_UNKNOWN ? LENGTH_UNKNOWN : (int64_t)head->image.body_b;
	r->answer.body = &b->body;
	return GO_ANSWER;
}
