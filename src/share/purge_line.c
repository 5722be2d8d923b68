/* A purge as a line of a journal: a checksum, when, what, how, and of what.  See purges.h.
 *
 *	5d41402a 1764000000000 url hard 0123456789abcdef
 *	7d793037 1764000000001 match soft http://example.org/news*
 *	fbade9e3 1764000000002 all hard */
#include <errno.h>
#include <stdio.h>

#include "base/hash.h"
#include "base/num.h"
#include "share/purges.h"

enum { SUM_DIGITS = 8, MARK_DIGITS = 16 };
static const uint64_t LATEST_MS = UINT64_C(1) << 48;  /* the year 10889: a time past it is none */

static const struct str KINDS[] = {
	[PURGE_URL] = { "url", 3 },
	[PURGE_TAG] = { "tag", 3 },
	[PURGE_MATCH] = { "match", 5 },
	[PURGE_ALL] = { "all", 3 },
};

static uint32_t sum(struct str text)
{
	return (uint32_t)hash_bytes(text, 0);
}

void purge_print(const struct purge *what, struct buf *out)
{
	size_t start = out->n;
	buf_addf(out, "%0*x ", SUM_DIGITS, 0u);
	buf_addf(out, "%llu %s %s", (unsigned long long)what->at_ms, KINDS[what->kind].p, what->soft ? "soft" : "hard");
	if (what->kind == PURGE_MATCH)
		buf_addf(out, " %.*s", STR_F(what->match));
	else if (what->kind != PURGE_ALL)
		buf_addf(out, " %0*llx", MARK_DIGITS, (unsigned long long)what->mark);
	struct str text = str_from(buf_str(out), start + SUM_DIGITS + 1);
	char digits[SUM_DIGITS + 1];
	snprintf(digits, sizeof digits, "%0*x", SUM_DIGITS, sum(text));
	memcpy(out->p + start, digits, SUM_DIGITS);
	buf_add_char(out, '\n');
}

static int kind_parse(struct str word, enum purge_kind *out)
{
	for (enum purge_kind k = PURGE_URL; k <= PURGE_ALL; k++) {
		if (str_eq(word, KINDS[k])) {
			*out = k;
			return 0;
		}
	}
	return -EBADMSG;
}

static int how_parse(struct str word, bool *soft)
{
	*soft = str_eq(word, STR("soft"));
	return *soft || str_eq(word, STR("hard")) ? 0 : -EBADMSG;
}

/* What the line's end says of what. */
static int object_parse(struct str rest, struct purge *out)
{
	switch (out->kind) {
	case PURGE_ALL:
		return rest.p ? -EBADMSG : 0;
	case PURGE_MATCH:
		out->match = rest;
		return purge_check(out) ? -EBADMSG : 0;
	default:
		return rest.n == MARK_DIGITS && !num_parse_hex(rest, &out->mark) ? 0 : -EBADMSG;
	}
}

int purge_parse(struct str line, struct purge *out)
{
	uint64_t said;
	*out = (struct purge){};
	struct str rest = line, sum_word = str_cut(&rest, ' ');
	if (sum_word.n != SUM_DIGITS || num_parse_hex(sum_word, &said) || !rest.p || said != sum(rest))
		return -EBADMSG;
	if (num_parse(str_cut(&rest, ' '), LATEST_MS, &out->at_ms) || !out->at_ms || !rest.p)
		return -EBADMSG;
	if (kind_parse(str_cut(&rest, ' '), &out->kind) || !rest.p || how_parse(str_cut(&rest, ' '), &out->soft))
		return -EBADMSG;
	return object_parse(rest, out);
}
