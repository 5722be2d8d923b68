/* Request heads: what is accepted means the same when it is written anew, and is accepted at its last byte, not before;
 * what is refused stays refused, whatever follows. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/must.h"
#include "http/parse.h"
#include "http/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct parse_limits LIMITS = { 4096, 40 };

/* From memory of exactly this size, which is gone afterwards. */
static enum parsed parse(struct arena *a, struct str in, struct ask *out, unsigned *status)
{
	const char *why = NULL;
	char *exact = malloc(in.n ? in.n : 1);
	must(exact);
	memcpy(exact, in.p, in.n);
	enum parsed p = parse_ask(a, str_make(exact, in.n), &LIMITS, out, status, &why);
	free(exact);
	must(p != PARSE_BAD || (*status >= 400 && *status <= 505 && why && why[0]));
	return p;
}

static enum parsed parse_only(struct str in, unsigned *status)
{
	struct arena a;
	struct ask ask;
	arena_init(&a, NULL, 0);
	enum parsed p = parse(&a, in, &ask, status);
	arena_fini(&a);
	return p;
}

static void is_clean(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		must(s.p[i] != '\r' && s.p[i] != '\n' && s.p[i] != '\0');
}

static void check(const struct ask *ask)
{
	must(str_is_token(ask->method_name) && ask->minor <= 1);
	is_clean(ask->target);
	is_clean(ask->path);
	must(str_eq(ask->path, STR("*")) || (ask->path.n && ask->path.p[0] == '/'));
	must(ask->host.n || !ask->minor);
	must((ask->framing == FRAMING_LENGTH) == (ask->length_b > 0));
	for (size_t i = 0; i < ask->field_count; i++) {
		must(str_is_token(ask->fields[i].name));
		is_clean(ask->fields[i].value);
		must(str_eq(ask->fields[i].value, str_trim(ask->fields[i].value)));
	}
}

static void write_anew(struct buf *out, const struct ask *ask)
{
	buf_addf(out, "%.*s %.*s HTTP/1.%u\r\n", STR_F(ask->method_name), STR_F(ask->target), ask->minor);
	for (size_t i = 0; i < ask->field_count; i++) {
		buf_add(out, ask->fields[i].name);
		buf_add(out, STR(":"));
		buf_add(out, ask->fields[i].value);
		buf_add(out, STR("\r\n"));
	}
	buf_add(out, STR("\r\n"));
}

static void same(const struct ask *a, const struct ask *b)
{
	must(a->method == b->method && a->minor == b->minor && a->keep_alive == b->keep_alive);
	must(a->expect_continue == b->expect_continue && a->framing == b->framing && a->length_b == b->length_b);
	must(str_eq(a->path, b->path) && str_eq(a->query, b->query) && !a->query.p == !b->query.p);
	must(str_eq(a->host, b->host) && a->port == b->port && a->field_count == b->field_count);
	for (size_t i = 0; i < a->field_count; i++) {
		must(str_eq(a->fields[i].name, b->fields[i].name) && str_eq(a->fields[i].value, b->fields[i].value));
		must(a->fields[i].id == b->fields[i].id);
	}
}

static void accepted(struct arena *a, struct str in, const struct ask *ask)
{
	struct buf again = {};
	struct ask second;
	unsigned status;
	check(ask);
	must(ask->head_b <= in.n && str_ends(str_head(in, ask->head_b), STR("\r\n\r\n")));
	write_anew(&again, ask);
	must(again.n <= ask->head_b);
	must(parse(a, buf_str(&again), &second, &status) == PARSE_DONE && second.head_b == again.n);
	same(ask, &second);
	buf_fini(&again);
	/* Not before its last byte. */
	for (size_t n = ask->head_b > 64 ? ask->head_b - 64 : 0; n < ask->head_b; n++)
		must(parse_only(str_head(in, n), &status) == PARSE_MORE);
	must(parse_only(str_head(in, ask->head_b), &status) == PARSE_DONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = { (const char *)data, size };
	struct arena a;
	struct ask ask;
	unsigned status = 0, half = 0;
	arena_init(&a, NULL, 0);
	enum parsed whole = parse(&a, in, &ask, &status), begun = parse_only(str_head(in, size / 2), &half);
	/* What was refused or complete in the first half is so as a whole. */
	must(begun == PARSE_MORE || begun == whole);
	must(begun != PARSE_BAD || half == status);
	if (whole == PARSE_DONE)
		accepted(&a, in, &ask);
	arena_fini(&a);
	return 0;
}
