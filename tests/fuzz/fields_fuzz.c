/* Fields whose values clients choose: Range, Accept-Encoding, If-None-Match and the rest.  The first byte says which. */
#include "base/mem.h"
#include "base/must.h"
#include "http/conditional.h"
#include "http/encoding.h"
#include "http/mime.h"
#include "http/range.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is satisfiable lies inside, and nothing overlaps or touches. */
static void fuzz_range(struct str s)
{
	enum { SIZE_B = 1000 };
	struct ranges all;
	if (ranges_parse(s, SIZE_B, &all) != RANGED_PARTS)
		return;
	must(all.count >= 1 && all.count <= RANGES_MOST);
	for (size_t i = 0; i < all.count; i++) {
		struct range a = all.at[i];
		must(a.length_b && a.from_b < SIZE_B && a.length_b <= SIZE_B - a.from_b);
		for (size_t k = 0; k < i; k++) {
			struct range b = all.at[k];
			must(a.from_b > b.from_b + b.length_b || b.from_b > a.from_b + a.length_b);
		}
	}
}

static void fuzz_encoding(struct str s)
{
	struct accepts a = accepts_parse(s);
	enum encoding best = accepts_best(&a, ~0u);
	must(best < ENCODING_COUNT && (best == ENCODING_IDENTITY || a.quality[best]));
	for (size_t e = 0; e < ENCODING_COUNT; e++)
		must(a.quality[e] <= 1000);
}

static void fuzz_condition(struct str s, enum field_id id)
{
	struct home home = {};
	struct req r = { .home = &home };
	struct field field = { STR("Name"), s, id };
	r.ask.method = METHOD_GET;
	r.ask.fields = &field;
	r.ask.field_count = 1;
	r.ask.first[id] = 1;
	unsigned status = conditional(&r, STR("\"a\""), 784111777);
	must(status == 0 || status == 304 || status == 412);
	(void)range_applies(&r, STR("\"a\""), 784111777);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum field_id CONDITIONS[] = { FIELD_IF_MATCH, FIELD_IF_NONE_MATCH, FIELD_IF_RANGE,
		                                    FIELD_IF_MODIFIED_SINCE, FIELD_IF_UNMODIFIED_SINCE };
	if (!size)
		return 0;
	struct str s = str_make((const char *)data + 1, size - 1);
	switch (data[0]) {
	case 'r': fuzz_range(s); break;
	case 'e': fuzz_encoding(s); break;
	case 'm': (void)mime_compresses(mime_of(s)); break;
	default: fuzz_condition(s, CONDITIONS[data[0] % countof(CONDITIONS)]);
	}
	return 0;
}
