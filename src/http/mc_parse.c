/* Answers of memcached's meta commands, as its doc/protocol.txt has them.  Functions of bytes alone; any thread. */
#include "http/mc_parse.h"

#include <errno.h>

#include "base/mem.h"
#include "base/num.h"

static const struct code {
	struct str word;
	enum mc_code code;
	bool bare;           /* what follows is text for people, or nothing */
} CODES[] = {
	{ { "HD", 2 }, MC_HD, false },
	{ { "VA", 2 }, MC_VA, false },
	{ { "EN", 2 }, MC_EN, false },
	{ { "NF", 2 }, MC_NF, false },
	{ { "NS", 2 }, MC_NS, false },
	{ { "EX", 2 }, MC_EX, false },
	{ { "MN", 2 }, MC_MN, true },
	{ { "SERVER_ERROR", 12 }, MC_SERVER_ERROR, true },
	{ { "CLIENT_ERROR", 12 }, MC_CLIENT_ERROR, true },
	{ { "ERROR", 5 }, MC_ERROR, true },
};

static const struct code *code_of(struct str word)
{
	for (size_t i = 0; i < countof(CODES); i++)
		if (str_eq(CODES[i].word, word))
			return &CODES[i];
	return NULL;
}

static bool number(struct str text, unsigned mark, uint64_t *to, struct mc_answer *out)
{
	out->marks |= mark;
	return num_parse(text, UINT64_MAX, to) == 0;
}

static bool ttl(struct str text, struct mc_answer *out)
{
	uint64_t n = 0;
	if (!str_eq(text, STR("-1")) && num_parse(text, INT64_MAX, &n))
		return false;
	out->ttl_s = text.p[0] == '-' ? -1 : (int64_t)n;
	out->marks |= MC_TTL;
	return true;
}

/* Letters without a value. */
static bool bare(struct str text, unsigned mark, struct mc_answer *out)
{
	out->marks |= mark;
	return !text.n;
}

/* One flag: a letter, and what belongs to it.  False: nobody asked for such a thing. */
static bool flag(struct str word, struct mc_answer *out)
{
	struct str rest = str_from(word, 1);
	switch (word.n ? word.p[0] : '\0') {
	case 'W':
		return bare(rest, MC_WON, out);
	case 'Z':
		return bare(rest, MC_SENT, out);
	case 'X':
		return bare(rest, MC_STALE, out);
	case 'b':
		return bare(rest, 0, out);
	case 'O':
		return number(rest, MC_OPAQUE, &out->opaque, out);
	case 'c':
		return number(rest, MC_CAS, &out->cas, out);
	case 'f':
		return number(rest, 0, &out->flags, out);
	case 's':
		return number(rest, 0, &out->stored_b, out);
	case 't':
		return ttl(rest, out);
	case 'k':
		return rest.n;
	default:
		return false;
	}
}

static bool line(struct str text, struct mc_answer *out)
{
	struct str rest = text;
	const struct code *code = code_of(str_cut(&rest, ' '));
	if (!code)
		return false;
	out->code = code->code;
	if (code->bare)
		return code->code != MC_MN || !rest.p;
	if (code->code == MC_VA && (!rest.p || num_parse(str_cut(&rest, ' '), INT32_MAX, &out->size_b)))
		return false;
	while (rest.p)
		if (!flag(str_cut(&rest, ' '), out))
			return false;
	return true;
}

int mc_parse(struct str in, struct mc_answer *out, size_t *used)
{
	struct str seen = str_head(in, MC_LINE_MOST_B);
	size_t end = str_find(seen, '\n');
	*out = (struct mc_answer){};
	if (end == seen.n)
		return seen.n == MC_LINE_MOST_B ? -EBADMSG : -EAGAIN;
	*used = end + 1;
	if (!end || in.p[end - 1] != '\r' || !line(str_head(in, end - 1), out))
		return -EBADMSG;
	return 0;
}

/* --- A stream. --- */

/* A line that began in an earlier piece goes on in r->line. */
static enum mc_heard read_line(struct mc_reader *r, struct str *in)
{
	size_t used, before = r->line.n;
	if (before)
		buf_add(&r->line, str_head(*in, MC_LINE_MOST_B));
	int err = mc_parse(before ? buf_str(&r->line) : *in, &r->answer, &used);
	if (err == -EBADMSG)
		return MC_NONSENSE;
	if (err) {
		if (!before)
			buf_add(&r->line, *in);
		*in = (struct str){};
		return MC_MORE;
	}
	*in = str_from(*in, used - before);
	buf_clear(&r->line);
	return MC_HEARD;
}

static enum mc_heard read_value(struct mc_reader *r, struct str *in)
{
	static const char END[] = "\r\n";
	uint64_t size_b = r->answer.size_b;
	if (r->value_at < size_b && in->n) {
		uint64_t left = size_b - r->value_at;
		struct str part = str_head(*in, left < in->n ? (size_t)left : in->n);
		if (r->value)
			memcpy(r->value + r->value_at, part.p, part.n);
		r->value_at += part.n;
		*in = str_from(*in, part.n);
	}
	for (; r->value_at >= size_b && r->value_at < size_b + 2 && in->n; *in = str_from(*in, 1))
		if (in->p[0] != END[r->value_at++ - size_b])
			return MC_NONSENSE;
	r->in_value = r->value_at < size_b + 2;
	return r->in_value ? MC_MORE : MC_HEARD;
}

enum mc_heard mc_read(struct mc_reader *r, struct str *in, uint64_t most_b)
{
	if (!r->in_value) {
		mem_free(r->value);
		r->value = NULL;
		enum mc_heard heard = in->n ? read_line(r, in) : MC_MORE;
		if (heard != MC_HEARD || r->answer.code != MC_VA)
			return heard;
		r->in_value = true;
		r->value_at = 0;
		if (r->answer.size_b <= most_b)
			r->value = mem_new(r->answer.size_b + 1);
	}
	return read_value(r, in);
}

void mc_reader_fini(struct mc_reader *r)
{
	buf_fini(&r->line);
	mem_free(r->value);
	*r = (struct mc_reader){};
}
