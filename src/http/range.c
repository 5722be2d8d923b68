/* Byte ranges: the Range field, 206 and 416.  No state; the request's loop; memory of its arena. */
#include "http/range.h"

#include <errno.h>

#include "base/hash.h"
#include "base/num.h"
#include "http/join.h"

/* --- The field. --- */

/* A position: numbers past all sizes are legal, and mean the end. */
static bool position(struct str s, uint64_t *out)
{
	int err = num_parse(s, INT64_MAX, out);
	if (err == -ERANGE)
		*out = INT64_MAX;
	return err != -EINVAL;
}

enum spec { SPEC_BAD, SPEC_OUTSIDE, SPEC_INSIDE };

/* "0-499", "500-", "-500" (RFC 9110, 14.1.2). */
static enum spec spec_parse(struct str s, uint64_t size_b, struct range *out)
{
	struct str to = s, from = str_cut(&to, '-');
	uint64_t first = 0, last = size_b - 1;
	if (!to.p || (!from.n && !to.n))
		return SPEC_BAD;
	if (!from.n) {
		uint64_t suffix;
		if (!position(to, &suffix))
			return SPEC_BAD;
		if (!suffix)
			return SPEC_OUTSIDE;
		first = suffix < size_b ? size_b - suffix : 0;
	} else if (!position(from, &first) || (to.n && (!position(to, &last) || last < first))) {
		return SPEC_BAD;
	}
	if (first >= size_b)
		return SPEC_OUTSIDE;
	if (last >= size_b)
		last = size_b - 1;
	*out = (struct range){ first, last - first + 1 };
	return SPEC_INSIDE;
}

static bool touch(struct range a, struct range b)
{
	return a.from_b <= b.from_b + b.length_b && b.from_b <= a.from_b + a.length_b;
}

static struct range together(struct range a, struct range b)
{
	uint64_t from = a.from_b < b.from_b ? a.from_b : b.from_b;
	uint64_t a_end = a.from_b + a.length_b, b_end = b.from_b + b.length_b;
	return (struct range){ from, (a_end > b_end ? a_end : b_end) - from };
}

static void ranges_remove(struct ranges *all, size_t i)
{
	all->count--;
	for (; i < all->count; i++)
		all->at[i] = all->at[i + 1];
}

/* Adds a range; it takes the place of the first one that it touches, together with all others that it touches. */
static void ranges_add(struct ranges *all, struct range new)
{
	size_t place = all->count;
	for (size_t i = 0; i < all->count;) {
		if (!touch(all->at[i], new)) {
			i++;
			continue;
		}
		new = together(all->at[i], new);
		place = i < place ? i : place;
		ranges_remove(all, i);
		i = 0;  /* it grew: it may touch what stands before */
	}
	if (place > all->count)
		place = all->count;
	for (size_t i = all->count++; i > place; i--)
		all->at[i] = all->at[i - 1];
	all->at[place] = new;
}

enum ranged ranges_parse(struct str field, uint64_t size_b, struct ranges *out)
{
	struct str rest = field, unit = str_cut(&rest, '='), element;
	size_t specs = 0;
	*out = (struct ranges){};
	/* Of nothing there is no range: clients that always send the field get their empty 200. */
	if (!rest.p || !str_eq_nocase(unit, STR("bytes")) || !size_b || size_b > INT64_MAX)
		return RANGED_WHOLE;
	while (list_next(&rest, &element)) {
		struct range one;
		enum spec spec = spec_parse(element, size_b, &one);
		if (spec == SPEC_BAD || ++specs > RANGES_MOST)
			return RANGED_WHOLE;
		if (spec == SPEC_INSIDE)
			ranges_add(out, one);
	}
	if (!specs)
		return RANGED_WHOLE;
	return out->count ? RANGED_PARTS : RANGED_NONE;
}

/* --- The answers. --- */

static struct str content_range(struct req *r, struct range at, uint64_t size_b)
{
	return arena_strf(&r->arena, "bytes %llu-%llu/%llu", (unsigned long long)at.from_b,
	                  (unsigned long long)(at.from_b + at.length_b - 1), (unsigned long long)size_b);
}

/* No content should hold it: nobody can know it beforehand. */
static struct str boundary_new(struct req *r)
{
	uint64_t a = hash_bytes(str_make((const char *)&r->id, sizeof r->id), r->home->loop.now_ns);
	return arena_strf(&r->arena, "petrel-%016llx%016llx", (unsigned long long)a, (unsigned long long)r->id);
}

/* RFC 9110, 14.6. */
static struct str part_head(struct req *r, bool first, struct str boundary, struct str type, struct str range)
{
	return arena_strf(&r->arena, "%s--%.*s\r\n%s%.*s%sContent-Range: %.*s\r\n\r\n", first ? "" : "\r\n",
	                  STR_F(boundary), type.n ? "Content-Type: " : "", STR_F(type), type.n ? "\r\n" : "",
	                  STR_F(range));
}

static void answer_parts(struct req *r, uint64_t size_b, const struct ranges *ranges,
                         struct body *(*part)(struct req *r, void *arg, struct range at), void *arg)
{
	struct str type = answer_field(r, STR("Content-Type")), boundary = boundary_new(r);
	struct body **bodies = arena_raw(&r->arena, (2 * ranges->count + 1) * sizeof(struct body *));
	size_t n = 0;
	uint64_t length_b = 0;
	for (size_t i = 0; i < ranges->count; i++) {
		struct str head = part_head(r, !i, boundary, type, content_range(r, ranges->at[i], size_b));
		bodies[n++] = body_of_str(&r->arena, head);
		bodies[n++] = part(r, arg, ranges->at[i]);
		length_b += head.n + ranges->at[i].length_b;
	}
	struct str tail = arena_strf(&r->arena, "\r\n--%.*s--\r\n", STR_F(boundary));
	bodies[n++] = body_of_str(&r->arena, tail);
	r->answer.body = body_join(&r->arena, bodies, n);
	r->answer.length_b = (int64_t)(length_b + tail.n);
	answer_set(r, STR("Content-Type"),
	           arena_strf(&r->arena, "multipart/byteranges; boundary=%.*s", STR_F(boundary)));
}

void answer_ranges(struct req *r, uint64_t size_b, const struct ranges *ranges,
                   struct body *(*part)(struct req *r, void *arg, struct range at), void *arg)
{
	if (r->answer.body)
		body_close(r->answer.body);
	r->answer.hot = NULL;
	r->answer.status = 206;
	if (ranges->count > 1) {
		answer_parts(r, size_b, ranges, part, arg);
		return;
	}
	answer_add(r, STR("Content-Range"), content_range(r, ranges->at[0], size_b));
	r->answer.body = part(r, arg, ranges->at[0]);
	r->answer.length_b = (int64_t)ranges->at[0].length_b;
}

void answer_no_range(struct req *r, uint64_t size_b)
{
	req_answer(r, 416);
	answer_add(r, STR("Content-Range"), arena_strf(&r->arena, "bytes */%llu", (unsigned long long)size_b));
}
