/* Heads of CGI programs' answers: what is accepted is so at its last byte, not before, and holds nothing that a client
 * must not see. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/must.h"
#include "http/cgi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* From memory of exactly this size, which is gone afterwards. */
static enum parsed parse(struct arena *a, struct str in, bool line, struct reply *out, size_t *head_b)
{
	const char *why = NULL;
	char *exact = malloc(in.n ? in.n : 1);
	must(exact);
	if (in.n)
		memcpy(exact, in.p, in.n);
	enum parsed p = cgi_head_parse(a, str_make(exact, in.n), line, out, head_b, &why);
	free(exact);
	must(p != PARSE_BAD || (why && why[0]));
	return p;
}

static void check(const struct reply *reply)
{
	must(reply->status >= 200 && reply->status <= 599 && reply->length_b >= LENGTH_UNKNOWN);
	must(!reply->again.p || (reply->again.n && reply->again.p[0] == '/' && reply->field_count == 1));
	for (size_t i = 0; i < reply->field_count; i++) {
		struct str name = reply->fields[i].name, value = reply->fields[i].value;
		must(str_is_token(name) && !field_is_hop(name) && !str_eq_nocase(name, STR("status")));
		must(!str_eq_nocase(name, STR("content-length")));
		for (size_t k = 0; k < value.n; k++)
			must(value.p[k] == '\t' || ((unsigned char)value.p[k] >= ' ' && value.p[k] != 0x7f));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	struct reply reply = {};
	size_t head_b = 0;
	if (!size)
		return 0;
	struct str in = { (const char *)data + 1, size - 1 };
	bool line = data[0] & 1;
	arena_init(&a, NULL, 0);
	enum parsed whole = parse(&a, in, line, &reply, &head_b);
	if (whole == PARSE_DONE) {
		check(&reply);
		must(head_b <= in.n && in.p[head_b - 1] == '\n');
		for (size_t n = head_b > 64 ? head_b - 64 : 0; n < head_b; n++)
			must(parse(&a, str_head(in, n), line, &reply, &head_b) == PARSE_MORE);
	}
	arena_fini(&a);
	return 0;
}
